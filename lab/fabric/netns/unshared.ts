import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { readlink } from 'node:fs/promises';
import path from 'node:path';
import { Failure } from '../../../src/base/failure.ts';
import { withSbin } from './commands.ts';

/** The programs the fabric is built with: iproute2, nftables and util-linux. */
const PROGRAMS = ['ip', 'nft', 'unshare', 'nsenter', 'mount', 'umount', 'sh'];

/**
 * Arguments of `unshare` with which a program gets network and mount namespaces of its own: as root directly, else as the
 * root of a user namespace. A text says why neither can be done here.
 */
export function unshared(
  env: Readonly<Record<string, string | undefined>>,
): { readonly rootless: boolean; readonly args: readonly string[] } | string {
  if (process.platform !== 'linux') return `network namespaces are Linux', this is ${process.platform}`;
  const missing = PROGRAMS.filter((program) => !found(program, withSbin(env)['PATH']));
  if (missing.length > 0)
    return `not found on PATH: ${missing.join(', ')} (Debian: apt-get install iproute2 nftables util-linux)`;
  const rootless = process.getuid?.() !== 0;
  const args = ['--mount', '--net', '--propagation', 'private', ...(rootless ? ['--user', '--map-root-user'] : [])];
  const tried = spawnSync('unshare', [...args, 'nft', 'list', 'ruleset'], { encoding: 'utf8', env: withSbin(env) });
  if (tried.status === 0) return { rootless, args };
  const said = tried.stderr.trim();
  return rootless
    ? `this user may not make namespaces (${said}); run it as root, or allow user namespaces`
    : `the kernel or the container does not allow network namespaces (${said})`;
}

export function found(program: string, searchPath = ''): boolean {
  return searchPath.split(':').some((dir) => {
    try {
      accessSync(path.join(dir, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/**
 * Throws where this process still lives in the network namespace of process 1: as root, the fabric would rebuild the
 * network of the computer itself.
 */
export async function assertOwnNetwork(): Promise<void> {
  const [own, first] = await Promise.all(
    ['self', '1'].map((pid) => readlink(`/proc/${pid}/ns/net`).catch(() => undefined)),
  );
  // Where process 1 may not be looked at, this one has not the rights to change its network either.
  if (own === undefined || own !== first) return;
  throw new Failure({
    code: 'lab-network-shared',
    what: 'The fabric of network namespaces cannot start in the network of the computer',
    why: `this process is in ${own}, as process 1 is`,
    state: 'Nothing was changed.',
    next: 'Start the lab with `fairlead lab up --fabric netns`, which makes namespaces of its own.',
  });
}
