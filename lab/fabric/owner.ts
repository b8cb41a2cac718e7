import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Party } from './types.ts';

/** Processes that dial without a source address of their own (the real etcd), and whose they are. */
export type Processes = () => readonly { readonly pid: number; readonly party: Party }[];

/**
 * Whose a connection is that came from address:port of this machine: of the process that has the socket open. Undefined
 * when it is none of the given ones. Looks into /proc: a few milliseconds, so only asked where a rule depends on it.
 */
export function ownerOf(address: string, port: number, processes: ReturnType<Processes>): Party | undefined {
  if (processes.length === 0) return undefined;
  const inode = inodeOf(address, port, readFileSync('/proc/net/tcp', 'latin1'));
  if (inode === undefined) return undefined;
  const wanted = `socket:[${inode}]`;
  return processes.find(({ pid }) => hasOpen(pid, wanted))?.party;
}

/** The inode of the socket whose local end is address:port, out of the text of /proc/net/tcp. */
export function inodeOf(address: string, port: number, table: string): string | undefined {
  const octets = address.split('.').map((part) => Number(part).toString(16).padStart(2, '0'));
  const local = `${octets.toReversed().join('')}:${port.toString(16).padStart(4, '0')}`.toUpperCase();
  for (const line of table.split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[1] === local && fields[9] !== undefined && fields[9] !== '0') return fields[9];
  }
  return undefined;
}

function hasOpen(pid: number, target: string): boolean {
  let names: readonly string[];
  try {
    names = readdirSync(`/proc/${pid}/fd`);
  } catch {
    // It has ended.
    return false;
  }
  return names.some((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`) === target;
    } catch {
      return false;
    }
  });
}
