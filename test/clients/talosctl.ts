import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { expect } from 'vitest';
import { stringify } from 'yaml';
import { fromTalosPair } from '../../lab/pki/keys.ts';
import { issue } from '../../lab/pki/pki.ts';
import type { SmallWorld, WorldNode } from '../../lab/talos/testing/small-world.ts';

const cache = process.env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache');
/** Talos' own client, unchanged, as scripts/prepare builds it. */
export const TALOSCTL = path.join(cache, 'fairlead', 'bin', 'talosctl-v1.13.9');
/** In CI a client that is not there is a failure. */
export const missing = !existsSync(TALOSCTL) && process.env['CI'] === undefined;

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Talosctl {
  run(...args: string[]): Promise<Outcome>;
  /** What it printed; fails the test when the command fails. */
  ok(...args: string[]): Promise<string>;
  /** What it complained of; fails the test when the command succeeds. */
  fails(...args: string[]): Promise<string>;
  /** Runs until `stop`, or until it ends. */
  follow(...args: string[]): Following;
}

export interface Following {
  /** Whole lines so far. */
  lines(): readonly string[];
  stop(): Promise<void>;
}

/** talosctl with a client certificate of these roles, led to one node. */
export async function talosctlAt(
  world: SmallWorld,
  node: WorldNode,
  home: string,
  roles: readonly string[] = ['os:admin'],
): Promise<Talosctl> {
  const now = Date.now();
  const { cert, key } = await issue(fromTalosPair(world.secrets.certs.os), {
    commonName: '',
    organizations: roles,
    usages: ['clientAuth'],
    notBefore: new Date(now - 10_000),
    notAfter: new Date(now + 3_600_000),
  });
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  const { publicIPv4 } = node.server;
  const context = {
    endpoints: [publicIPv4],
    nodes: [publicIPv4],
    ca: world.secrets.certs.os.crt,
    crt: base64(cert),
    key: base64(key),
  };
  const file = path.join(home, `${node.server.name}-${roles.join('-').replaceAll(':', '_')}`);
  await writeFile(file, stringify({ context: 'lab', contexts: { lab: context } }), { mode: 0o600 });
  const env = { HOME: home, PATH: process.env['PATH'], EDITOR: path.join(home, 'editor') };
  const argv = (args: readonly string[]): string[] => ['--talosconfig', file, ...args];
  const run = (...args: string[]): Promise<Outcome> =>
    new Promise((resolve) => {
      execFile(TALOSCTL, argv(args), { env, timeout: 20_000, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        expect(stderr, 'a crash of the client').not.toMatch(/panic:|goroutine/);
        resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
      });
    });
  return {
    run,
    async ok(...args) {
      const { code, stdout, stderr } = await run(...args);
      expect(code, `${args.join(' ')}: ${stdout}${stderr}`).toBe(0);
      return stdout;
    },
    async fails(...args) {
      const { code, stdout, stderr } = await run(...args);
      expect(code, `${args.join(' ')}: ${stdout}${stderr}`).toBe(1);
      return stderr;
    },
    follow(...args) {
      const child = spawn(TALOSCTL, argv(args), { env, stdio: ['ignore', 'pipe', 'ignore'] });
      let text = '';
      const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
      child.stdout.setEncoding('utf8');
      child.stdout.on('data', (part: string) => (text += part));
      return {
        lines: () => text.split('\n').slice(0, -1),
        async stop() {
          child.kill('SIGKILL');
          await ended;
        },
      };
    },
  };
}
