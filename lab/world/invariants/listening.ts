import { readdir, readFile, readlink } from 'node:fs/promises';
import type { InvariantPorts } from './check.ts';

const LISTEN = '0A';

/** The lab's process and all it started listen only on addresses of its own /16 of 127.64.0.0/10. */
export async function listenViolations({ info }: InvariantPorts): Promise<string[]> {
  const lab = info();
  // In namespaces of its own, whatever it listens on is nobody else's.
  if (lab.fabric === 'netns') return [];
  const range = `${lab.dns.address.split('.').slice(0, 2).join('.')}.`;
  const own = await family(process.pid);
  const inodes = new Set((await Promise.all(own.map(socketsOf))).flat());
  const tables = await Promise.all(
    (['tcp', 'tcp6'] as const).map((table) => readFile(`/proc/self/net/${table}`, 'utf8').catch(() => '')),
  );
  return tables
    .flatMap((text) => listeners(text))
    .filter(({ inode, address }) => inodes.has(inode) && !address.startsWith(range))
    .map(({ address, port }) => `something of the lab listens on ${address}:${port}, outside of ${range}0.0/16`);
}

/** A process and all that came of it. */
async function family(pid: number): Promise<number[]> {
  const parents = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map(async (name): Promise<readonly [number, number]> => {
        const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
        return [Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])];
      }),
  );
  const found = [pid];
  for (const each of found) for (const [child, parent] of parents) if (parent === each) found.push(child);
  return found;
}

async function socketsOf(pid: number): Promise<string[]> {
  const fds = await readdir(`/proc/${pid}/fd`).catch((): string[] => []);
  const links = await Promise.all(fds.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []);
}

export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly inode: string;
}

/** Sockets that listen, out of the text of /proc/net/tcp or tcp6. */
export const listeners = (text: string): Listener[] =>
  text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
      const [hex = '', port = ''] = local.split(':');
      return state === LISTEN ? [{ address: addressOf(hex), port: Number.parseInt(port, 16), inode }] : [];
    });

/** IPv4 as people write it (the kernel writes the bytes of a word backwards); IPv6 as the kernel writes it. */
function addressOf(hex: string): string {
  if (hex.length !== 8) return `[${hex}]`;
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
}
