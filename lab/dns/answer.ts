import { type Answer, IN, QTYPE, type Question, RCODE, type Rcode, type ResourceRecord, TYPE } from './message.ts';
import { keyOf, type Labels } from './names.ts';
import type { RecordSet, Zone } from './zone.ts';

/** CNAMEs followed inside our own zones; a chain that is longer is the client's to follow. */
const CHAIN_LIMIT = 8;
const ANY_CLASS = 255;

type Zones = readonly Zone[];

/**
 * What an authoritative server answers (RFC 1034 §4.3.2): records, "no such name" or "nothing of that type" with the SOA,
 * a referral at a delegation, wildcards, CNAMEs followed where they lead into our own zones. Other zones are refused.
 */
export function answerQuestion(zones: Zones, question: Question): Answer {
  const zone = zoneOf(zones, question.name);
  const transfer = question.type === QTYPE.AXFR || question.type === QTYPE.IXFR;
  if (zone === undefined || transfer || (question.class !== IN && question.class !== ANY_CLASS)) return refusal;
  return walk(zones, zone, question.name, question.type, []);
}

const refusal: Answer = { rcode: RCODE.refused, authoritative: false, answers: [], authority: [], additional: [] };

/** The most specific of our zones that a name lies in. */
function zoneOf(zones: Zones, name: Labels): Zone | undefined {
  return zones
    .filter((zone) => keyOf(name.slice(-zone.origin.length)) === keyOf(zone.origin))
    .toSorted((a, b) => b.origin.length - a.origin.length)[0];
}

function walk(zones: Zones, zone: Zone, name: Labels, type: number, before: readonly ResourceRecord[]): Answer {
  const referral = delegation(zone, name, type);
  if (referral !== undefined) {
    return {
      rcode: RCODE.ok,
      // What led here is ours; where it goes on is not.
      authoritative: before.length > 0,
      answers: before,
      authority: records(referral.owner, referral.set),
      additional: referral.set.targets.flatMap((target) => glue(zone, target)),
    };
  }
  const sets = zone.names.get(keyOf(name)) ?? wildcard(zone, name);
  if (sets === undefined) return negative(zone, zone.existing.has(keyOf(name)) ? RCODE.ok : RCODE.noSuchName, before);
  const wanted = type === QTYPE.ANY ? [...sets.values()] : [sets.get(type)].filter((set) => set !== undefined);
  if (wanted.length > 0) return positive([...before, ...wanted.flatMap((set) => records(name, set))]);
  const alias = sets.get(TYPE.CNAME);
  const target = alias?.targets[0];
  if (alias === undefined || target === undefined) return negative(zone, RCODE.ok, before);
  const chain = [...before, ...records(name, alias).slice(0, 1)];
  const next = zoneOf(zones, target);
  return next === undefined || chain.length >= CHAIN_LIMIT ? positive(chain) : walk(zones, next, target, type, chain);
}

/** NS records between the zone and the name: below them another server knows. */
function delegation(zone: Zone, name: Labels, type: number): { owner: Labels; set: RecordSet } | undefined {
  for (let length = zone.origin.length + 1; length <= name.length; length += 1) {
    const owner = name.slice(-length);
    const set = zone.names.get(keyOf(owner))?.get(TYPE.NS);
    // The DS of a delegation stands on this side of it.
    if (set !== undefined && !(length === name.length && type === TYPE.DS)) return { owner, set };
  }
  return undefined;
}

/** `*` below the closest name that exists; a name that exists itself, with or without records, is not covered. */
function wildcard(zone: Zone, name: Labels): ReadonlyMap<number, RecordSet> | undefined {
  if (zone.existing.has(keyOf(name))) return undefined;
  for (let n = 1; name.length - n >= zone.origin.length; n += 1) {
    const closest = name.slice(n);
    if (zone.existing.has(keyOf(closest))) return zone.names.get(keyOf(['*', ...closest]));
  }
  return undefined;
}

const records = (name: Labels, set: RecordSet): ResourceRecord[] =>
  set.values.map((data) => ({ name, type: set.type, ttl: set.ttl, data }));

const glue = (zone: Zone, target: Labels): ResourceRecord[] =>
  [TYPE.A, TYPE.AAAA].flatMap((type) => {
    const set = zone.names.get(keyOf(target))?.get(type);
    return set === undefined ? [] : records(target, set);
  });

const positive = (answers: readonly ResourceRecord[]): Answer => ({
  rcode: RCODE.ok,
  authoritative: true,
  answers,
  authority: [],
  additional: [],
});

const negative = (zone: Zone, rcode: Rcode, answers: readonly ResourceRecord[]): Answer => ({
  rcode,
  authoritative: true,
  answers,
  authority: [zone.soa],
  additional: [],
});
