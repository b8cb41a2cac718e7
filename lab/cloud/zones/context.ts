import { collection, type Collection } from '../collection.ts';
import { ApiError, notFound } from '../errors.ts';
import type { Delay } from '../knobs.ts';
import { type Call, type CloudContext, created, type Reply } from '../routes.ts';
import type { Action } from '../state.ts';
import { time } from '../times.ts';
import type { CloudZone } from '../types.ts';
import { actionView } from '../views.ts';
import { countOf, NAMESERVERS } from './records.ts';
import type { RRSet, Zone } from './state.ts';

/** What the routes of zones and of record sets share. */
export interface Zones {
  readonly all: Collection<Zone>;
  /** By id, or by name; throws not_found. */
  readonly find: (call: Call) => Zone;
  /** Throws incorrect_zone_mode: the records of a secondary zone come from its primary name servers. */
  readonly findPrimary: (call: Call) => Zone;
  /** An action on the zone: its effect lands at the end, and name servers hear of it. */
  readonly change: (zone: Zone, command: string, effect: () => void) => Action;
  readonly reply: (action: Action) => Reply;
}

export const rrsetView = (set: RRSet, zone: Zone) => ({
  id: `${set.name}/${set.type}`,
  name: set.name,
  type: set.type,
  ttl: set.ttl,
  labels: set.labels,
  protection: set.protection,
  records: set.records,
  zone: zone.id,
});

export const asCloudZone = (zone: Zone): CloudZone => ({
  id: zone.id,
  name: zone.name,
  ttl: zone.ttl,
  rrsets: [...zone.rrsets.values()].map(({ name, type, ttl, records }) => ({
    name,
    type,
    ttl,
    records: records.map(({ value }) => value),
  })),
});

/** The serial of the SOA grows with every change. */
function countUp(zone: Zone): void {
  const soa = zone.rrsets.get('@/SOA');
  if (soa === undefined) return;
  soa.records = soa.records.map(({ value, comment }) => ({
    value: value.replace(/^(\S+ \S+ )(\d+)/, (_, names: string, serial: string) => names + (Number(serial) + 1)),
    comment,
  }));
}

export function zonesOf(context: CloudContext): Zones {
  const { project, options, knobs, actions } = context;
  const view = (zone: Zone) => ({
    id: zone.id,
    name: zone.name,
    ttl: zone.ttl,
    mode: zone.mode,
    // Keys are shown only to those who set them.
    primary_nameservers: zone.primaryNameservers.map(({ address, port, tsig_algorithm }) => ({
      address,
      port,
      ...(tsig_algorithm === undefined ? {} : { tsig_algorithm }),
    })),
    protection: zone.protection,
    labels: zone.labels,
    created: time(zone.created),
    record_count: countOf(zone),
    registrar: 'other',
    status: zone.status,
    authoritative_nameservers: {
      assigned: NAMESERVERS,
      delegated: knobs.delegationStatus === 'valid' ? NAMESERVERS : [],
      delegation_last_check: time(zone.created),
      delegation_status: knobs.delegationStatus,
    },
  });
  const all = collection<Zone>(context, {
    one: 'zone',
    items: project.zones,
    filters: { mode: (zone) => zone.mode },
    view,
  });
  const find = ({ param }: Call): Zone => {
    const wanted = param('zone');
    const found = /^\d+$/.test(wanted)
      ? project.zones.get(Number(wanted))
      : [...project.zones.values()].find((zone) => zone.name === wanted.toLowerCase());
    if (found === undefined) throw notFound('zone', wanted);
    return found;
  };
  return {
    all,
    find,
    findPrimary(call) {
      const zone = find(call);
      if (zone.mode === 'secondary')
        throw new ApiError(422, 'incorrect_zone_mode', 'the records of a secondary zone cannot be changed');
      return zone;
    },
    change(zone, command, effect) {
      const delay: Delay = knobs.delays.zone;
      return actions.start({
        command,
        resources: [{ id: zone.id, type: 'zone' }],
        // Several may run on one zone: clients change record sets side by side.
        locks: knobs.zoneLocks ? [{ id: zone.id, type: 'zone' }] : [],
        delay,
        effect: async () => {
          effect();
          countUp(zone);
          if (project.zones.has(zone.id)) await options.effects.zoneChanged?.(asCloudZone(zone));
        },
      });
    },
    reply: (action) => created({ action: actionView(action) }),
  };
}
