import { mkdtemp, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { nodeFiles } from './files.ts';

test('a file is written into folders that are made for it, and a second time too', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'fairlead-files-'));
  const file = path.join(dir, 'a/b/c');
  await nodeFiles.write(file, 'one', 0o600);
  await nodeFiles.write(file, 'two', 0o600);
  expect(await nodeFiles.read(file)).toBe('two');
  await nodeFiles.makeFolder(path.join(dir, 'state'), 0o700);
  expect((await stat(path.join(dir, 'state'))).mode & 0o777).toBe(0o700);
  await rm(dir, { recursive: true, force: true });
});

test('a place where no folder can be made is an error at once, not a search without end', async () => {
  await expect(nodeFiles.write('/proc/x/y/z', 'text', 0o600)).rejects.toThrow(/ENOENT/);
});
