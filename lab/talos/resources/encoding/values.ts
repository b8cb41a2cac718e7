/** Bytes of an IPv4 or IPv6 address, as protobuf carries it. */
export function addressBytes(text: string): Uint8Array {
  if (text === '') return new Uint8Array();
  if (!text.includes(':')) return Uint8Array.from(text.split('.'), Number);
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(head);
  const back = tail === undefined ? [] : groups(tail);
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}

export function prefixOf(text: string): { readonly ip: Uint8Array; readonly prefixLength: number } {
  const [address = '', length = '0'] = text.split('/');
  return { ip: addressBytes(address), prefixLength: Number(length) };
}

/** `96:00:02:9a:0e:04`; undefined when it is no hardware address. */
export function hardwareAddress(text: string): Uint8Array | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2})+$/i.test(text)
    ? Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16))
    : undefined;
}

const UNITS: Readonly<Record<string, number>> = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, µs: 1e3, us: 1e3, ns: 1 };

/** Go's text of a duration, `1m30s`. */
export function durationOf(text: string): { readonly seconds: bigint; readonly nanos: number } {
  let total = 0;
  for (const [, amount, unit = ''] of text.matchAll(/([\d.]+)(h|ms|m|s|µs|us|ns)/g)) {
    total += Number(amount) * (UNITS[unit] ?? 0);
  }
  if (text.startsWith('-')) total = -total;
  return { seconds: BigInt(Math.trunc(total / 1e9)), nanos: Math.round(total % 1e9) };
}

const FLAGS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  // Linux: if.h.
  LinkStatusSpec: {
    UP: 0x1,
    BROADCAST: 0x2,
    LOOPBACK: 0x8,
    RUNNING: 0x40,
    MULTICAST: 0x1000,
    LOWER_UP: 0x10000,
  },
  // Linux: if_addr.h.
  AddressStatusSpec: { permanent: 0x80, noprefixroute: 0x200, mngmtmpaddr: 0x100 },
  AddressSpecSpec: { permanent: 0x80, noprefixroute: 0x200, mngmtmpaddr: 0x100 },
  RouteStatusSpec: {},
  RouteSpecSpec: {},
};

/** Bits of flags that YAML names; empty is none. */
export function flagBits(text: string, path: string): number {
  if (text === '') return 0;
  const known = Object.entries(FLAGS).find(([name]) => path.includes(`.${name}.`))?.[1] ?? {};
  return text.split(',').reduce((bits, name) => {
    const bit = known[name];
    if (bit === undefined) throw new Error(`${path}: unknown flag ${JSON.stringify(name)}`);
    return bits | bit;
  }, 0);
}
