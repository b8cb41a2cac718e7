/** An IP address as a number, so that it compares and falls into subnets. */
export interface Ip {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

export interface Subnet {
  readonly ip: Ip;
  readonly length: number;
}

/** Reads an address without zone; undefined when the text is none. */
export function parseIp(text: string): Ip | undefined {
  if (!text.includes(':')) {
    const parts = text.split('.');
    if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
      return undefined;
    return { bits: 32, value: parts.reduce((sum, part) => sum * 256n + BigInt(part), 0n) };
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const last = groups.at(-1);
  const dotted = last?.at(-1);
  if (last !== undefined && dotted?.includes('.') === true) {
    const v4 = parseIp(dotted);
    if (v4 === undefined) return undefined;
    last.splice(-1, 1, (v4.value >> 16n).toString(16), (v4.value & 0xffffn).toString(16));
  }
  const [head = [], tail = []] = groups;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array.from({ length: missing }, () => '0'), ...tail];
  if (!all.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return { bits: 128, value: all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n) };
}

/** The shortest spelling, as Go and RFC 5952 write it. */
export function formatIp({ bits, value }: Ip): string {
  if (bits === 32) return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  const zeros = groups
    .join(':')
    .match(/\b0(:0)+\b/g)
    ?.toSorted((a, b) => b.length - a.length)[0];
  if (zeros === undefined) return groups.join(':');
  return groups.join(':').replace(new RegExp(`(^|:)${zeros}(:|$)`), '::');
}

/** Reads `address/length`, or an address alone as a subnet of one; undefined when the text is neither. */
export function parseSubnet(text: string): Subnet | undefined {
  const [address = '', length, more] = text.split('/');
  const ip = parseIp(address);
  if (ip === undefined || more !== undefined) return undefined;
  if (length === undefined) return { ip, length: ip.bits };
  if (!/^\d{1,3}$/.test(length) || Number(length) > ip.bits) return undefined;
  return { ip, length: Number(length) };
}

export const compareIps = (a: Ip, b: Ip): number =>
  a.bits - b.bits || (a.value < b.value ? -1 : a.value > b.value ? 1 : 0);

export function contains(subnet: Subnet, ip: Ip): boolean {
  const shift = BigInt(subnet.ip.bits - subnet.length);
  return subnet.ip.bits === ip.bits && subnet.ip.value >> shift === ip.value >> shift;
}

const fixed = (text: string): Subnet => parseSubnet(text) ?? { ip: { bits: 32, value: 0n }, length: 32 };
const LOOPBACK = ['127.0.0.0/8', '::1/128'].map(fixed);
const LINK_LOCAL = ['169.254.0.0/16', 'fe80::/10'].map(fixed);
/** The block that lab machines have their addresses from. */
const LAB = fixed('127.64.0.0/10');

/**
 * Whether Talos leaves an address out because it is a loopback address. The one bend of the lab: Linux gives away only
 * 127/8 without root, so lab machines have addresses of 127.64.0.0/10, and those count as ordinary ones.
 */
export function isLoopback(address: Ip | string): boolean {
  const ip = typeof address === 'string' ? parseIp(address) : address;
  return ip !== undefined && LOOPBACK.some((subnet) => contains(subnet, ip)) && !contains(LAB, ip);
}

export const isLinkLocal = (ip: Ip): boolean => LINK_LOCAL.some((subnet) => contains(subnet, ip));

/**
 * The addresses that fall into at least one of the subnets and into none that is marked by `!`, in their own order
 * (siderolabs/net, FilterIPs). Exclusions alone select nothing.
 */
export function filterIps(ips: readonly Ip[], subnets: readonly string[]): readonly Ip[] {
  const within = (excluded: boolean): Subnet[] =>
    subnets
      .filter((text) => text.startsWith('!') === excluded)
      .flatMap((text) => parseSubnet(text.replace(/^!/, '')) ?? []);
  const [includes, excludes] = [within(false), within(true)];
  return ips.filter((ip) => includes.some((s) => contains(s, ip)) && !excludes.some((s) => contains(s, ip)));
}
