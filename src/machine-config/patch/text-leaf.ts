import { canonicalAddress, canonicalAddressPort, canonicalPrefix } from '../address.ts';
import type { LeafName } from './types.ts';
import { canonicalUrl } from './url.ts';

const UNITS = new Map([
  ['ns', 1n],
  ['us', 1000n],
  ['µs', 1000n],
  ['μs', 1000n],
  ['ms', 1_000_000n],
  ['s', 1_000_000_000n],
  ['m', 60_000_000_000n],
  ['h', 3_600_000_000_000n],
]);

function fraction(nanoseconds: bigint, unit: bigint): string {
  const rest = nanoseconds % unit;
  const digits = rest
    .toString()
    .padStart(unit.toString().length - 1, '0')
    .replace(/0+$/, '');
  return `${nanoseconds / unit}${digits === '' ? '' : `.${digits}`}`;
}

/** A duration in Go's spelling: `90s` is `1m30s`. */
function canonicalDuration(text: string): string | undefined {
  const match = /^([-+]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (text === '0' || text === '+0' || text === '-0') return '0s';
  if (match?.[2] === undefined) return undefined;
  let total = 0n;
  for (const [, amount = '', unit = ''] of match[2].matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g)) {
    const [whole = '', part = ''] = amount.split('.');
    const scale = UNITS.get(unit) ?? 0n;
    total += BigInt(whole === '' ? '0' : whole) * scale;
    if (part !== '') total += (BigInt(part) * scale) / 10n ** BigInt(part.length);
  }
  if (total === 0n) return '0s';
  const sign = match[1] === '-' ? '-' : '';
  if (total < 1000n) return `${sign}${total}ns`;
  if (total < 1_000_000n) return `${sign}${fraction(total, 1000n)}µs`;
  if (total < 1_000_000_000n) return `${sign}${fraction(total, 1_000_000n)}ms`;
  const seconds = 1_000_000_000n;
  const minutes = total / (60n * seconds);
  const end = `${fraction(total % (60n * seconds), seconds)}s`;
  if (minutes === 0n) return `${sign}${end}`;
  return `${sign}${minutes >= 60n ? `${minutes / 60n}h` : ''}${minutes % 60n}m${end}`;
}

function canonicalMac(text: string): string | undefined {
  const hex = text.replaceAll(':', '').toLowerCase();
  return /^([0-9a-f]{2})*$/.test(hex) ? (hex.match(/../g) ?? []).join(':') : undefined;
}

function canonicalSize(text: string, percent: boolean): string | undefined {
  if (text === '') return '';
  if (percent && /^-?\d+(\.\d+)?%$/.test(text)) return text;
  return /^-?[\d.,]+ *([kmgtpeKMGTPE]?[iI]?[bB]?|[kmgtpeKMGTPE])$/.test(text) ? text : undefined;
}

const TABLES = new Map([
  ['unspec', '0'],
  ['default', '253'],
  ['main', '254'],
  ['local', '255'],
]);

function canonicalTable(text: string): string | undefined {
  const known = TABLES.get(text.toLowerCase());
  const id = known ?? text;
  if (!/^\d+$/.test(id) || Number(id) > 4_294_967_295) return undefined;
  return [...TABLES].find(([, value]) => Number(value) === Number(id))?.[0] ?? String(Number(id));
}

/**
 * Base64 as Talos keeps it: line breaks go. Its decoder wants the padding and ignores the spare bits of the last letter, which its
 * encoder writes as zero: the text is taken as it is, real keys have no spare bits set.
 */
export function canonicalBase64(text: string): string | undefined {
  const clean = text.replaceAll(/[\r\n]/g, '');
  return /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(clean) ? clean : undefined;
}

const CANONICAL: Partial<Record<LeafName, (text: string, minor: number) => string | undefined>> = {
  addr: (text) => (text === '' ? '' : canonicalAddress(text)),
  ip: (text) => (text === '' ? '' : canonicalAddress(text)),
  prefix: (text) => (text === '' ? '' : canonicalPrefix(text)),
  addrport: (text) => (text === '' ? '' : canonicalAddressPort(text)),
  // From Talos 1.13 a host with several colons must stand in brackets (stricter URLs of its Go).
  url: (text, minor) => canonicalUrl(text, minor >= 13),
  // Talos 1.11 knows no percentage; that 1.12 does is a guess.
  size: (text, minor) => canonicalSize(text, minor >= 12),
  bytesize: (text) => canonicalSize(text, false),
  cel: (text) => text,
  trimmed: (text) => text.trim(),
  duration: canonicalDuration,
  mac: canonicalMac,
  base64: canonicalBase64,
  table: canonicalTable,
};

/** Whether the leaf is text with a meaning of its own. */
export const isTextLeaf = (leaf: LeafName): boolean => CANONICAL[leaf] !== undefined;

/** The one spelling in which Talos writes such a text; undefined when the text is not of that kind. */
export const canonical = (leaf: LeafName, text: string, minor: number): string | undefined =>
  CANONICAL[leaf]?.(text, minor);

/** How the leaf is written when nothing is set. */
export const emptyText = (leaf: LeafName): string => (leaf === 'duration' ? '0s' : leaf === 'table' ? 'unspec' : '');
