import { invalidInput } from '../errors.ts';
import { checkName, checkRecords, TYPES } from './records.ts';
import { type RRSet, rrsetId, type Zone, type ZoneRecord } from './state.ts';

/** A zone as a zone file (RFC 1035), which `parseZonefile` reads back. */
export function zonefileOf(zone: Zone): string {
  const lines = [...zone.rrsets.values()].flatMap((set) =>
    set.records.map(({ value, comment }) => {
      const ttl = set.ttl === null ? [] : [set.ttl];
      return [set.name, ...ttl, 'IN', set.type, value, ...(comment === '' ? [] : [`; ${comment}`])].join(' ');
    }),
  );
  return [`$ORIGIN ${zone.name}.`, `$TTL ${zone.ttl}`, ...lines, ''].join('\n');
}

interface Parsed {
  readonly rrsets: readonly RRSet[];
  /** Of a $TTL line. */
  readonly ttl: number | undefined;
  /** With its trailing dot. */
  readonly origin: string;
}

/**
 * Reads a zone file: $ORIGIN, $TTL, comments, parentheses, names left out (the last one's) and TTLs. The origin of the
 * file stands for the zone, whatever it is named. Throws invalid_input with the line.
 */
export function parseZonefile(text: string, zone: string): Parsed {
  const sets = new Map<string, RRSet & { records: ZoneRecord[] }>();
  let origin = `${zone}.`;
  let fileTTL: number | undefined;
  let last = '@';
  for (const { line, number } of logicalLines(text)) {
    const refuse = (why: string): never => {
      throw invalidInput('zonefile', `line ${number}: ${why}`);
    };
    const { content, comment } = withoutComment(line);
    const words = content.trim().split(/\s+/);
    if (words[0] === '') continue;
    if (words[0] === '$ORIGIN') {
      origin = words[1]?.endsWith('.') === true ? words[1] : refuse('$ORIGIN needs a name that ends in a dot');
      continue;
    }
    if (words[0] === '$TTL') {
      fileTTL = seconds(words[1]) ?? refuse('$TTL needs a time');
      continue;
    }
    if (!/^\s/.test(content)) last = relative(words.shift() ?? '@', origin);
    let ttl: number | null = null;
    while (words[0] !== undefined && (words[0].toUpperCase() === 'IN' || seconds(words[0]) !== undefined))
      ttl = seconds(words.shift()) ?? ttl;
    const type = (words.shift() ?? '').toUpperCase();
    if (!TYPES.some((known) => known === type)) refuse(`unknown record type '${type}'`);
    const name = checkName(last, zone);
    const value = content.slice(content.search(new RegExp(`\\s${type}\\s`, 'i')) + type.length + 1).trim();
    const set = sets.get(rrsetId({ name, type })) ?? {
      name,
      type,
      ttl,
      labels: {},
      protection: { change: false },
      records: [],
    };
    set.records.push({
      value: value
        .replaceAll(/[()]/g, type === 'TXT' ? '$&' : ' ')
        .replaceAll(/\s+/g, ' ')
        .trim(),
      comment,
    });
    set.ttl ??= ttl;
    sets.set(rrsetId(set), set);
  }
  for (const set of sets.values()) {
    checkRecords(set.type, set.records);
    if (set.ttl !== null && set.ttl < 60) throw invalidInput('zonefile', 'a ttl is below 60');
  }
  return { rrsets: [...sets.values()], ttl: fileTTL, origin };
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

function seconds(text: string | undefined): number | undefined {
  const [, count, unit = 's'] = /^(\d+)([smhdw]?)$/i.exec(text ?? '') ?? [];
  return count === undefined ? undefined : Number(count) * (UNITS[unit.toLowerCase() || 's'] ?? 1);
}

function relative(name: string, origin: string): string {
  if (name === '@' || name === origin) return '@';
  return name.endsWith(`.${origin}`) ? name.slice(0, -origin.length - 1) : name;
}

/** Lines with what stands in parentheses joined. */
function* logicalLines(text: string): Generator<{ line: string; number: number }> {
  let open = '';
  for (const [n, line] of text.split(/\r?\n/).entries()) {
    open = open === '' ? line : `${withoutComment(open).content} ${line}`;
    const { content } = withoutComment(open);
    const bare = content.replaceAll(/"(?:[^"\\]|\\.)*"/g, '');
    if (bare.split('(').length > bare.split(')').length) continue;
    yield { line: open, number: n + 1 };
    open = '';
  }
}

function withoutComment(line: string): { content: string; comment: string } {
  const found = /^((?:[^";]|"(?:[^"\\]|\\.)*")*);(.*)$/.exec(line);
  return found === null
    ? { content: line, comment: '' }
    : { content: found[1] ?? '', comment: (found[2] ?? '').trim() };
}
