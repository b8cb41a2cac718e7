import { Failure } from '../../../src/base/failure.ts';
import { pickInteger, type Random } from '../../../src/base/random.ts';
import type { Fabric } from '../types.ts';

/**
 * Where addresses of a lab in namespaces come from. 198.18.0.0/15 is set aside for trials of networks (RFC 2544): no host
 * of the Internet has one, and no rule of Talos or Kubernetes treats them apart. The namespaces are the lab's own, so that
 * every lab may use the same ones.
 */
export const PRIVATE_RANGE = '10.0.0.0/16';
export const PUBLIC_RANGE = '198.18.0.0/15';
/** Behind the machines, where the lab's own processes listen; led to by no router. */
export const HIDDEN_RANGE = '100.64.0.0/16';
export const SERVICE_RANGE = '198.19.192.0/18';
/** Hetzner's gateways: of every server's public link, and of a private network. */
export const PUBLIC_GATEWAY = '172.31.1.1';
export const PRIVATE_GATEWAY = '10.0.0.1';
/** The machine's end of the link to the lab's processes. */
export const MACHINE_END = '169.254.77.1';
export const CLIENT_ADDRESS = '198.19.191.10';
/** The source of what the lab's own process sends without a machine's address. */
export const LAB_ADDRESS = '198.19.255.2';

/** IPv6 of the lab: the range for documentation (RFC 3849), out of which the cloud gives prefixes of 64 bits. */
export const PUBLIC_RANGE_6 = '2001:db8::/32';
export const CLIENT_ADDRESS_6 = '2001:db8:0:c11e::10';
/** On every public link: Hetzner's gateway, and the end of the machine or client. */
export const GATEWAY_6 = 'fe80::1';
export const NEXT_HOP_6 = 'fe80::2';

/** Behind machine `number`: where the lab listens for it, and the machine's own end of that link. */
export const behind6 = (number: number) => ({
  hidden: `fd66:6c61:6200:${number.toString(16)}::1`,
  machineEnd: `fd66:6c61:6200:${number.toString(16)}::2`,
});

type Part = Parameters<Fabric['allocate']>[0] | 'hidden';

/** Prefix and inclusive third octets of each part. */
const PARTS: Record<Part, { readonly prefix: string; readonly octets: readonly [number, number] }> = {
  private: { prefix: '10.0', octets: [1, 250] },
  public: { prefix: '198.18', octets: [1, 250] },
  floating: { prefix: '198.19', octets: [1, 120] },
  service: { prefix: '198.19', octets: [192, 250] },
  hidden: { prefix: '100.64', octets: [1, 250] },
};

export interface Pool {
  (part: Part): string;
  /** All that were given, but for the hidden ones. */
  given(): readonly string[];
}

/** Draws fresh addresses at random; none is ever given twice, nor one of `before`. */
export function createPool(random: Random, before: readonly string[] = []): Pool {
  const given = new Set(before);
  const draw = (part: Part): string => {
    const { prefix, octets } = PARTS[part];
    const [low, high] = octets;
    const size = (high - low + 1) * 254;
    const start = pickInteger(random, 0, size);
    for (let step = 0; step < size; step += 1) {
      const index = (start + step) % size;
      const address = `${prefix}.${low + Math.floor(index / 254)}.${1 + (index % 254)}`;
      if (given.has(address)) continue;
      given.add(address);
      return address;
    }
    throw new Failure({
      code: 'lab-addresses-used-up',
      what: `no ${part} address is left in this lab`,
      why: `all ${size} were given out; a lab never gives one twice`,
      state: 'the lab runs on',
      next: 'run "fairlead lab down" and "fairlead lab up" for a fresh lab',
    });
  };
  return Object.assign(draw, {
    given: () => [...given].filter((address) => !address.startsWith(`${PARTS.hidden.prefix}.`)),
  });
}

export const isIPv6 = (address: string): boolean => address.includes(':');

/** Which of a machine's links an address belongs on. Names as Hetzner's servers with a Talos image have them. */
export const linkOf = (address: string): 'enp1s0' | 'enp7s0' => (address.startsWith('10.0.') ? 'enp7s0' : 'enp1s0');
