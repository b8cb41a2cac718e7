import type { Fabric } from './types.ts';

/** Whether packets to it go anywhere in this fabric: an IPv4 address always, a /64 in CIDR form where there is IPv6. */
export const carries = (fabric: Pick<Fabric, 'ipv6'>, address: string): boolean =>
  !address.includes(':') || fabric.ipv6 === true;

/** The address a server takes out of its /64 (`2001:db8:a:b::/64`): the first. An IPv4 address is itself. */
export const hostAddress = (prefix: string): string => prefix.replace(/::\/64$/, '::1');

/** The /64 an address of the lab lies in, as the cloud tells and routes it. An IPv4 address is itself. */
export const prefixOf = (address: string): string =>
  address.includes(':') ? address.replace(/::.*$/, '::/64') : address;
