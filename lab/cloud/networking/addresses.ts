import { isIPv4 } from 'node:net';

/** IPv4 as numbers: what the cloud has to know of its networks. */
export interface Range {
  readonly first: number;
  readonly last: number;
  readonly length: number;
}

export const numberOf = (ip: string): number => ip.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);

export const textOfNumber = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');

/** Undefined when it is not an IPv4 CIDR without host bits. */
export function rangeOf(cidr: string): Range | undefined {
  const [ip = '', bits = ''] = cidr.split('/');
  const length = Number(bits);
  if (!isIPv4(ip) || !/^\d{1,2}$/.test(bits) || length > 32) return undefined;
  const size = 2 ** (32 - length);
  const first = numberOf(ip);
  return first % size === 0 ? { first, last: first + size - 1, length } : undefined;
}

export const within = (inner: Range, outer: Range): boolean => inner.first >= outer.first && inner.last <= outer.last;
export const overlap = (a: Range, b: Range): boolean => a.first <= b.last && b.first <= a.last;
export const holds = (range: Range, ip: string): boolean =>
  isIPv4(ip) && numberOf(ip) >= range.first && numberOf(ip) <= range.last;

const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map((cidr) => rangeOf(cidr));

/** RFC 1918. */
export const isPrivate = (range: Range): boolean =>
  PRIVATE.some((outer) => outer !== undefined && within(range, outer));
