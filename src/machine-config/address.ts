/** IP addresses as text, without node:net: this room has no I/O and no platform. */

function parse4(text: string): number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  const bytes = parts.map((part) => (/^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255 ? Number(part) : -1));
  return bytes.includes(-1) ? undefined : bytes;
}

function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const last = parts.at(-1) ?? '';
  const tail = last.includes('.') ? parse4(last) : undefined;
  if (last.includes('.') && tail === undefined) return undefined;
  const words = (tail === undefined ? parts : parts.slice(0, -1)).map((part) =>
    /^[0-9a-fA-F]{1,4}$/.test(part) ? Number.parseInt(part, 16) : -1,
  );
  if (words.includes(-1)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = tail ?? [];
  return tail === undefined ? words : [...words, a * 256 + b, c * 256 + d];
}

function parse6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const left = groups(halves[0] ?? '');
  const right = halves[1] === undefined ? undefined : groups(halves[1]);
  if (left === undefined || (halves.length === 2 && right === undefined)) return undefined;
  if (right === undefined) return left.length === 8 ? left : undefined;
  const missing = 8 - left.length - right.length;
  return missing < 1 ? undefined : [...left, ...Array.from({ length: missing }, () => 0), ...right];
}

function format6(words: readonly number[]): string {
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xff_ff) {
    const [high = 0, low = 0] = words.slice(6);
    return `::ffff:${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start += 1) {
    let length = 0;
    while (start + length < 8 && words[start + length] === 0) length += 1;
    if (length > best.length) best = { start, length };
  }
  const hex = words.map((word) => word.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}

/** The one spelling of an IP address (RFC 5952 for IPv6, zone kept); undefined when the text is none. */
export function canonicalAddress(text: string): string | undefined {
  const [address = '', ...zone] = text.split('%');
  if (parse4(text) !== undefined) return text;
  const words = address.includes(':') ? parse6(address) : undefined;
  if (words === undefined || (text.includes('%') && zone.join('%') === '')) return undefined;
  return `${format6(words)}${text.includes('%') ? `%${zone.join('%')}` : ''}`;
}

/** The one spelling of `address/bits`; host bits stay. */
export function canonicalPrefix(text: string): string | undefined {
  const slash = text.lastIndexOf('/');
  const address = canonicalAddress(text.slice(0, Math.max(0, slash)));
  const bits = text.slice(slash + 1);
  if (address === undefined || address.includes('%') || !/^(0|[1-9]\d{0,2})$/.test(bits)) return undefined;
  return Number(bits) <= (address.includes(':') ? 128 : 32) ? `${address}/${bits}` : undefined;
}

/** The one spelling of `address:port`, IPv6 in brackets. */
export function canonicalAddressPort(text: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  if (match?.[3] === undefined || Number(match[3]) > 65_535) return undefined;
  const address = canonicalAddress(match[1] ?? match[2] ?? '');
  if (address === undefined || (match[1] !== undefined) !== address.includes(':')) return undefined;
  return address.includes(':') ? `[${address}]:${Number(match[3])}` : `${address}:${Number(match[3])}`;
}
