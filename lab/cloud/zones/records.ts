import { isIPv4, isIPv6 } from 'node:net';
import { z } from 'zod';
import * as body from '../bodies.ts';
import { ApiError, invalidInput } from '../errors.ts';
import type { RRSet, Zone, ZoneRecord } from './state.ts';

export const TYPES = [
  'A',
  'AAAA',
  'CAA',
  'CNAME',
  'DS',
  'HINFO',
  'HTTPS',
  'MX',
  'NS',
  'PTR',
  'RP',
  'SOA',
  'SRV',
  'SVCB',
  'TLSA',
  'TXT',
] as const;

/** Seconds. */
export const TTL = z.int().min(60).max(2_147_483_647);
/** As many as one call may carry. */
export const RECORDS = z
  .array(z.object({ value: z.string().min(1), comment: z.string().nullish() }))
  .min(1)
  .max(50);
export const CREATE_RRSET = z.object({
  name: z.string().min(1),
  type: z.enum(TYPES, { error: 'Not a valid choice.' }),
  ttl: TTL.nullish(),
  labels: body.labels.nullish(),
  records: RECORDS,
});

const LABEL = /^(?:\*|[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)$/;

/** Relative to the zone, lower case, no trailing dot; `@` is the zone itself. */
export function checkName(name: string, zone: string): string {
  const lower = name.toLowerCase();
  if (lower === '@') return lower;
  if (!lower.split('.').every((label, n) => LABEL.test(label) && (label !== '*' || n === 0)))
    throw invalidInput('name', 'must be a name relative to the zone, without a trailing dot');
  if (`${lower}.${zone}`.length > 253) throw invalidInput('name', 'is too long');
  return lower;
}

const hostname = (text: string): boolean =>
  text === '@' ||
  (text.length <= 254 && /^(?:[a-z0-9_*](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?)+$/i.test(text) && !text.includes('..'));
const number = (text: string | undefined, most: number): boolean =>
  text !== undefined && /^\d+$/.test(text) && Number(text) <= most;

/** What a value of each type looks like; types without an entry are taken as they are. */
const FORMS: Partial<Record<(typeof TYPES)[number], (value: string) => boolean>> = {
  A: isIPv4,
  AAAA: isIPv6,
  CNAME: hostname,
  NS: hostname,
  PTR: hostname,
  MX: (value) => {
    const [preference, host = '', ...rest] = value.split(' ');
    return number(preference, 65_535) && hostname(host) && rest.length === 0;
  },
  SRV: (value) => {
    const [priority, weight, port, host = '', ...rest] = value.split(' ');
    return (
      [priority, weight, port].every((part) => number(part, 65_535)) &&
      (host === '.' || hostname(host)) &&
      rest.length === 0
    );
  },
  CAA: (value) => /^\d{1,3} [a-z0-9]+ "[^"]*"$/i.test(value),
  // Strings in quotes, each at most 255 bytes.
  TXT: (value) => /^"(?:[^"\\]|\\.){0,255}"(?:\s+"(?:[^"\\]|\\.){0,255}")*$/.test(value),
  SOA: (value) => value.split(/\s+/).length === 7,
};

/** Records as they are stored; throws invalid_input for what such a record cannot say. */
export function checkRecords(type: string, wanted: z.output<typeof RECORDS>): ZoneRecord[] {
  const form = FORMS[type as (typeof TYPES)[number]];
  const records = wanted.map(({ value, comment }) => ({ value, comment: comment ?? '' }));
  for (const [n, { value }] of records.entries())
    if (form !== undefined && !form(value))
      throw invalidInput(`records.${n}.value`, `is not a value of a ${type} record`);
  if (new Set(records.map(({ value }) => value)).size !== records.length)
    throw invalidInput('records', 'a value is given twice');
  if ((type === 'CNAME' || type === 'SOA') && records.length > 1)
    throw invalidInput('records', `a ${type} record set has one record`);
  return records;
}

/** A CNAME stands alone, and never at the zone itself. */
export function checkBeside(zone: Zone, name: string, type: string): void {
  if (type === 'CNAME' && name === '@') throw invalidInput('type', 'the zone itself cannot be a CNAME');
  const others = [...zone.rrsets.values()].filter((other) => other.name === name && other.type !== type);
  if (type === 'CNAME' ? others.length > 0 : others.some((other) => other.type === 'CNAME'))
    throw invalidInput('type', 'a CNAME cannot stand beside other records of its name');
}

export const countOf = (zone: Zone): number =>
  [...zone.rrsets.values()].reduce((sum, set) => sum + set.records.length, 0);

export function checkRoom(zone: Zone, more: number, quota: number): void {
  if (countOf(zone) + more > quota)
    throw new ApiError(403, 'resource_limit_exceeded', 'zone record limit exceeded', {
      limits: [{ name: 'zone_record_limit' }],
    });
}

export const NAMESERVERS = ['hydrogen.ns.hetzner.com.', 'oxygen.ns.hetzner.com.', 'helium.ns.hetzner.de.'] as const;

/** What every new zone has from the beginning. */
export function firstRRSets(now: Date): RRSet[] {
  const serial = `${now.toISOString().slice(0, 10).replaceAll('-', '')}00`;
  const plain = { ttl: null, labels: {} };
  return [
    {
      name: '@',
      type: 'SOA',
      ...plain,
      protection: { change: false },
      records: [{ value: `${NAMESERVERS[0]} dns.hetzner.com. ${serial} 86400 10800 3600000 3600`, comment: '' }],
    },
    {
      name: '@',
      type: 'NS',
      ...plain,
      protection: { change: false },
      records: NAMESERVERS.map((value) => ({ value, comment: '' })),
    },
  ];
}
