import { textOf } from '../../src/base/failure.ts';
import type { CloudRRSet, CloudZone } from '../cloud/types.ts';
import { type ResourceRecord, TYPE, type TypeName } from './message.ts';
import { absoluteName, keyOf, type Labels, parseName } from './names.ts';
import { recordData } from './record-data.ts';

/** The records of one type at one name. */
export interface RecordSet {
  readonly type: number;
  readonly ttl: number;
  readonly values: readonly Buffer[];
  /** Where a CNAME or NS leads. */
  readonly targets: readonly Labels[];
}

/** A zone ready to answer from. */
export interface Zone {
  readonly origin: Labels;
  /** Names that have records, by key. */
  readonly names: ReadonlyMap<string, ReadonlyMap<number, RecordSet>>;
  /** Those and the names between them and the zone: they exist, though they may have no records. */
  readonly existing: ReadonlySet<string>;
  /** For negative answers: with the time they may be kept. */
  readonly soa: ResourceRecord;
}

/** What a zone that was made by hand lacks; Hetzner makes one with every zone. */
const DEFAULT_SOA = 'hydrogen.ns.hetzner.com. dns.hetzner.com. 1 86400 10800 3600000 3600';

const isServed = (type: string): type is TypeName => Object.hasOwn(TYPE, type);

/** Reads a zone of the Cloud API. `complain` hears of records that are not served: their type is not known, or they are no such record. */
export function readZone(zone: CloudZone, complain: (line: string) => void): Zone {
  const origin = parseName(zone.name);
  const names = new Map<string, Map<number, RecordSet>>();
  const existing = new Set<string>([keyOf(origin)]);
  for (const rrset of zone.rrsets) {
    const set = readSet(rrset, zone, origin, complain);
    if (set === undefined) continue;
    const owner = absoluteName(rrset.name, origin);
    const sets = names.get(keyOf(owner)) ?? new Map<number, RecordSet>();
    sets.set(set.type, set);
    names.set(keyOf(owner), sets);
    for (let n = 0; owner.length - n > origin.length; n += 1) existing.add(keyOf(owner.slice(n)));
  }
  const apex = names.get(keyOf(origin)) ?? new Map<number, RecordSet>();
  names.set(keyOf(origin), apex);
  const soa = apex.get(TYPE.SOA) ?? {
    type: TYPE.SOA,
    ttl: zone.ttl,
    values: [recordData('SOA', DEFAULT_SOA, origin)],
    targets: [],
  };
  apex.set(TYPE.SOA, soa);
  const data = soa.values[0] ?? Buffer.alloc(4);
  // The last number of the SOA: how long a "no" may be kept, if its own TTL is not shorter.
  const ttl = Math.min(soa.ttl, data.readUInt32BE(data.length - 4));
  return { origin, names, existing, soa: { name: origin, type: TYPE.SOA, ttl, data } };
}

function readSet(
  rrset: CloudRRSet,
  zone: CloudZone,
  origin: Labels,
  complain: (line: string) => void,
): RecordSet | undefined {
  const { type } = rrset;
  if (!isServed(type)) {
    complain(`zone ${zone.name}: ${rrset.name} ${type} is not served`);
    return undefined;
  }
  const values: Buffer[] = [];
  const targets: Labels[] = [];
  for (const text of rrset.records) {
    try {
      values.push(recordData(type, text, origin));
      if (type === 'CNAME' || type === 'NS') targets.push(absoluteName(text, origin));
    } catch (error) {
      complain(`zone ${zone.name}: ${rrset.name} ${type} is not served: ${textOf(error)}`);
    }
  }
  return values.length === 0 ? undefined : { type: TYPE[type], ttl: rrset.ttl ?? zone.ttl, values, targets };
}
