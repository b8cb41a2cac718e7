/** An address that stands alone on its link: `/32`, in IPv6 `/128`. */
export const hostPrefix = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`;

/** The order of Talos' lists: IPv4 before IPv6, then by number. Takes addresses and prefixes. */
export function comparePrefixes(a: string, b: string): number {
  const [left, right] = [numberOf(a), numberOf(b)];
  return Number(a.includes(':')) - Number(b.includes(':')) || (left < right ? -1 : left > right ? 1 : 0);
}

function numberOf(prefix: string): bigint {
  const [address = ''] = prefix.split('/');
  if (!address.includes(':')) return address.split('.').reduce((total, octet) => total * 256n + BigInt(octet), 0n);
  const [head = '', tail] = address.split('::');
  const groups = (text: string | undefined): string[] => (text === undefined || text === '' ? [] : text.split(':'));
  const after = groups(tail);
  const before = groups(head);
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((total, group) => total * 65_536n + BigInt(`0x${group}`), 0n);
}
