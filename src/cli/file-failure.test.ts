import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileFailure } from './file-failure.ts';

const thrown = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  );

describe('an error of the file system', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-file-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('is a failure that names the file, not a bug', async () => {
    const missing = path.join(folder, 'none', 'file');
    const failure = fileFailure(await thrown(readFile(missing)), 'Nothing was changed.');
    expect(failure?.what).toBe(`${missing} cannot be used`);
    expect(failure?.exit).toBe(1);
  });

  it('names the file that was to be replaced, not the temporary one', async () => {
    const temporary = path.join(folder, '.tmp');
    const target = path.join(folder, 'target');
    await writeFile(temporary, '');
    await mkdir(target);
    expect(fileFailure(await thrown(rename(temporary, target)), 'x')?.what).toBe(`${target} cannot be used`);
  });

  it('is a failure also where a folder was read as a file, which the system does not name', async () => {
    expect(fileFailure(await thrown(readFile(folder)), 'x')?.why).toContain('it is a folder');
  });

  it('is told apart from any other error', () => {
    expect(fileFailure(new TypeError('x is undefined'), 'x')).toBeUndefined();
  });
});
