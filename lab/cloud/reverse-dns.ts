import { BlockList, isIPv6 } from 'node:net';
import { z } from 'zod';
import { readBody } from './bodies.ts';
import { ApiError } from './errors.ts';

/** Something with an address and the names it was given; an IPv6 address is a /64 in CIDR form. */
export interface Named {
  readonly ip: string;
  readonly dnsPtr: Map<string, string>;
}

/** What Hetzner's own reverse names look like. */
export const defaultPtr = (ip: string): string =>
  `static.${ip.split('.').toReversed().join('.')}.clients.your-server.de`;

/** `dns_ptr` as it is listed: an IPv4 address always has a name, of a /64 only the addresses that were given one. */
export const dnsPtrView = ({ ip, dnsPtr }: Named): readonly { ip: string; dns_ptr: string }[] =>
  ip.includes('/')
    ? [...dnsPtr].map(([address, dns_ptr]) => ({ ip: address, dns_ptr }))
    : [{ ip, dns_ptr: dnsPtr.get(ip) ?? defaultPtr(ip) }];

/** Reads a change_dns_ptr body for one of these addresses and gives the change; null clears. */
export function dnsPtrChange(holders: readonly Named[], body: unknown): () => void {
  const { ip, dns_ptr } = readBody(z.object({ ip: z.string(), dns_ptr: z.string().nullish() }), body);
  const holder = holders.find((candidate) => covers(candidate.ip, ip));
  if (holder === undefined) throw new ApiError(422, 'ip_not_owned', `${ip} is not an address of this resource`);
  return () => {
    if (dns_ptr == null) holder.dnsPtr.delete(ip);
    else holder.dnsPtr.set(ip, dns_ptr);
  };
}

function covers(own: string, ip: string): boolean {
  const [prefix = '', length] = own.split('/');
  if (length === undefined) return own === ip;
  if (!isIPv6(ip)) return false;
  const block = new BlockList();
  block.addSubnet(prefix, Number(length), 'ipv6');
  return block.check(ip, 'ipv6');
}
