import { createServer, type Server } from 'node:net';
import { Failure, textOf } from '../../src/base/failure.ts';
import { pickInteger, type Random } from '../../src/base/random.ts';
import { HOST_PORTS } from './ports.ts';

/**
 * The claim on a /16 is a listener on its first address: exclusive as long as the process lives, and gone with it however
 * it ends. Outside the kernel's range of ephemeral ports, so that no outgoing connection sits on it.
 */
export const CLAIM_PORT = 61_643;
const FIRST = 64;
const LAST = 127;

/**
 * Disjoint parts of the /16, by third octet (both inclusive). `private` lies in a /18, so that it can be said as one range,
 * and comes first: Talos takes the lowest address for a node's own, which with 10.x is the private one.
 */
const PARTS = {
  private: [1, 63],
  floating: [64, 79],
  service: [80, 95],
  public: [128, 191],
  hidden: [200, 250],
} as const satisfies Record<string, readonly [number, number]>;

export type AddressPart = keyof typeof PARTS;

/** A /16 of loopback addresses that belongs to this process until it is released. */
export interface AddressRange {
  /** 127.N.0.0/16 */
  readonly cidr: string;
  /** 127.N. */
  readonly prefix: string;
  /** Where private addresses are drawn from. */
  readonly privateCidr: string;
  /** A fresh address; none is ever given twice, also not after its machine is gone. */
  draw(part: AddressPart): string;
  /** Whether it is of this part. */
  has(part: AddressPart, address: string): boolean;
  /** All that were given, but for the hidden ones. */
  readonly given: readonly string[];
  release(): Promise<void>;
}

/**
 * Claims one /16 of 127.64.0.0/10, at random or the named one (second octet, 64 to 127). `given`: addresses of an earlier
 * claim on it that are never drawn again.
 * Throws a Failure when none is free, or when another program listens on a host port on every address.
 */
export async function claimRange(
  random: Random,
  second?: number,
  given: readonly string[] = [],
): Promise<AddressRange> {
  const candidates = second === undefined ? shuffled(random) : [second];
  for (const n of candidates) {
    const claim = await tryListen(`127.${n}.0.1`, CLAIM_PORT);
    if (claim === undefined) continue;
    try {
      await checkHostPorts(`127.${n}.0.1`);
    } catch (error) {
      await closed(claim);
      throw error;
    }
    return rangeOf(n, claim, random, given);
  }
  throw new Failure({
    code: 'lab-addresses-taken',
    what: 'no loopback addresses are free for a lab',
    why:
      second === undefined
        ? 'all 64 ranges of 127.64.0.0/10 are claimed'
        : `127.${second}.0.0/16 is claimed by another lab`,
    state: 'nothing was started',
    next: `end a lab that is no longer needed with "fairlead lab down --state DIR"; "ss -ltn sport = :${CLAIM_PORT}" lists the claims`,
  });
}

function rangeOf(n: number, claim: Server, random: Random, before: readonly string[]): AddressRange {
  const given = new Set(before);
  const [firstHidden] = PARTS.hidden;
  return {
    has(part, address) {
      const [low, high] = PARTS[part];
      const third = Number(address.split('.')[2]);
      return address.startsWith(`127.${n}.`) && third >= low && third <= high;
    },
    get given() {
      return [...given].filter((address) => Number(address.split('.')[2]) < firstHidden);
    },
    cidr: `127.${n}.0.0/16`,
    prefix: `127.${n}.`,
    privateCidr: `127.${n}.0.0/18`,
    draw(part) {
      const [low, high] = PARTS[part];
      const size = (high - low + 1) * 254;
      const start = pickInteger(random, 0, size);
      for (let step = 0; step < size; step += 1) {
        const index = (start + step) % size;
        const address = `127.${n}.${low + Math.floor(index / 254)}.${1 + (index % 254)}`;
        if (given.has(address)) continue;
        given.add(address);
        return address;
      }
      throw new Failure({
        code: 'lab-addresses-used-up',
        what: `no ${part} address is left in this lab`,
        why: `all ${size} of 127.${n}.0.0/16 were given out; a lab never gives one twice`,
        state: 'the lab runs on',
        next: 'run "fairlead lab down" and "fairlead lab up" for a fresh lab',
      });
    },
    release: () => closed(claim),
  };
}

/** A program that listens on 0.0.0.0:6443 holds that port on every loopback address too; said before anything is built. */
async function checkHostPorts(address: string): Promise<void> {
  for (const port of HOST_PORTS) {
    const probe = await tryListen(address, port);
    if (probe !== undefined) {
      await closed(probe);
      continue;
    }
    throw portInUse(address, port);
  }
}

export const portInUse = (address: string, port: number): Failure =>
  new Failure({
    code: 'lab-port-in-use',
    what: `the lab cannot use port ${port}`,
    why: `another program on this machine listens on it on every address (${address}:${port} is in use)`,
    state: 'nothing listens there for the lab',
    next: `find it with "ss -ltnp sport = :${port}", end it or bind it to one address, and run the command again`,
  });

function shuffled(random: Random): number[] {
  const all = Array.from({ length: LAST - FIRST + 1 }, (_, i) => FIRST + i);
  for (let i = all.length - 1; i > 0; i -= 1) {
    const j = pickInteger(random, 0, i + 1);
    const [a, b] = [all[i], all[j]];
    if (a !== undefined && b !== undefined) [all[i], all[j]] = [b, a];
  }
  return all;
}

/** Undefined when the address is in use; any other error is thrown. */
async function tryListen(address: string, port: number): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: address, port, exclusive: true }, resolve);
    });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined;
    throw new Failure({
      code: 'lab-no-loopback',
      what: `the lab cannot listen on ${address}`,
      why: textOf(error),
      state: 'nothing was started',
      next: 'check that the loopback interface is up and carries 127.0.0.0/8 ("ip addr show lo")',
      cause: error,
    });
  }
  server.unref();
  return server;
}

const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
