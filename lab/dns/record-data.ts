import { isIPv4, isIPv6 } from 'node:net';
import { writeName, type TypeName } from './message.ts';
import { absoluteName, type Labels } from './names.ts';

/** Largest character string of a TXT record. */
const STRING_LIMIT = 255;

/**
 * One value of a record set, from the form of a zone file to wire form. Names may be relative to the zone.
 * Throws a RangeError that says what is wrong with the text.
 */
export function recordData(type: TypeName, text: string, origin: Labels): Buffer {
  const words = wordsOf(text);
  const word = (n: number): string => {
    const found = words[n];
    if (found === undefined) throw new RangeError(`${type} has too few parts: ${text}`);
    return found.text;
  };
  const name = (n: number): Buffer => writeName(absoluteName(word(n), origin));
  const number = (n: number, bytes: 1 | 2 | 4): Buffer => integer(word(n), bytes);
  const rest = (n: number): string =>
    words
      .slice(n)
      .map((found) => found.text)
      .join('');
  switch (type) {
    case 'A':
      if (!isIPv4(word(0))) throw new RangeError(`not an IPv4 address: ${text}`);
      return Buffer.from(word(0).split('.').map(Number));
    case 'AAAA':
      return ipv6(word(0));
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return name(0);
    case 'MX':
      return Buffer.concat([number(0, 2), name(1)]);
    case 'SRV':
      return Buffer.concat([number(0, 2), number(1, 2), number(2, 2), name(3)]);
    case 'RP':
      return Buffer.concat([name(0), name(1)]);
    case 'TXT':
    case 'HINFO':
      if (words.length === 0) throw new RangeError(`${type} is empty`);
      return Buffer.concat(words.map((found) => string(found.text)));
    case 'CAA':
      return Buffer.concat([number(0, 1), string(word(1)), Buffer.from(word(2), 'latin1')]);
    case 'SOA':
      return Buffer.concat([name(0), name(1), ...[2, 3, 4, 5, 6].map((n) => number(n, 4))]);
    case 'DS':
      return Buffer.concat([number(0, 2), number(1, 1), number(2, 1), Buffer.from(rest(3), 'hex')]);
    case 'TLSA':
      return Buffer.concat([number(0, 1), number(1, 1), number(2, 1), Buffer.from(rest(3), 'hex')]);
  }
}

interface Word {
  readonly text: string;
}

/** Splits at blanks; quotes keep blanks, `\"` is a quote, `\DDD` a byte inside them. Text is kept as one character a byte. */
function wordsOf(text: string): Word[] {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return [...bytes.matchAll(/"((?:\\.|[^"\\])*)"|[^\s"]+/gs)].map(([whole, quoted]) => ({
    text:
      quoted === undefined
        ? whole
        : quoted.replaceAll(/\\(\d{3})|\\(.)/gs, (_, code?: string, escaped?: string) =>
            code === undefined ? (escaped ?? '') : String.fromCharCode(Number(code) & 0xff),
          ),
  }));
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length > STRING_LIMIT) throw new RangeError('a character string has at most 255 bytes');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
}

function integer(text: string, bytes: 1 | 2 | 4): Buffer {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value >= 2 ** (8 * bytes)) throw new RangeError(`not a number of ${bytes} bytes: ${text}`);
  const buffer = Buffer.alloc(bytes);
  buffer.writeUIntBE(value, 0, bytes);
  return buffer;
}

function ipv6(text: string): Buffer {
  if (!isIPv6(text)) throw new RangeError(`not an IPv6 address: ${text}`);
  // The URL parser spells every form alike: hexadecimal groups, at most one `::`.
  const [before = '', after] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string): number[] =>
    part
      .split(':')
      .filter(Boolean)
      .map((group) => Number.parseInt(group, 16));
  const [left, right] = [groups(before), groups(after ?? '')];
  const all = [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right];
  return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
