import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { expect } from 'vitest';
import { READ_WRITE, type TestCloud } from '../../lab/cloud/testing.ts';

export const HCLOUD = '/usr/bin/hcloud';
/** In CI a client that is not there is a failure. */
export const missing = !existsSync(HCLOUD) && process.env['CI'] === undefined;

export interface Hcloud {
  /** Runs a command line and gives what it printed; fails the test when it fails. Words are split at blanks. */
  ok(line: string): Promise<string>;
  /** Runs a command line that has to fail, and gives what it said. */
  fails(line: string): Promise<string>;
  json(line: string): Promise<unknown>;
}

/** Debian's hcloud 1.30.3, led to one cloud; it looks at its actions every 500 ms, whatever it is told. */
export function hcloudAt(c: TestCloud, home: string, token = READ_WRITE): Hcloud {
  const run = (line: string): Promise<{ readonly code: number; readonly out: string }> => {
    // Without an endpoint this client would ask the real API.
    if (!c.cloud.url.startsWith('http://127.')) throw new Error(`not a cloud of the lab: ${c.cloud.url}`);
    const env = { HCLOUD_TOKEN: token, HCLOUD_ENDPOINT: c.cloud.url, HOME: home };
    return new Promise((resolve) => {
      execFile(HCLOUD, line.split(' '), { env, timeout: 15_000 }, (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), out: stdout + stderr }),
      );
    });
  };
  const ok = async (line: string): Promise<string> => {
    const { code, out } = await run(line);
    expect(code, `${line}: ${out}`).toBe(0);
    return out;
  };
  return {
    ok,
    async fails(line) {
      const { code, out } = await run(line);
      expect(code, `${line}: ${out}`).toBe(1);
      expect(out, 'a crash of the client').not.toMatch(/panic|goroutine/);
      return out;
    },
    json: async (line) => JSON.parse(await ok(`${line} -o json`)) as unknown,
  };
}
