import { z } from 'zod';
import * as body from '../bodies.ts';
import { ApiError, invalidInput, notFound, notUnique } from '../errors.ts';
import { list, type ListRules } from '../listing.ts';
import { type Call, type CloudContext, created, ok, page, type Reply, type Routes } from '../routes.ts';
import { actionView } from '../views.ts';
import { rrsetView, zonesOf } from './context.ts';
import { checkBeside, checkName, checkRecords, checkRoom, CREATE_RRSET, RECORDS, TTL } from './records.ts';
import { type RRSet, rrsetId, type Zone } from './state.ts';

const WITH_RECORDS = z.object({ records: RECORDS, ttl: TTL.nullish() });

/** Record sets: all records of a zone with one name and type. */
export function rrsetRoutes(context: CloudContext): Routes {
  const { knobs } = context;
  const { find, findPrimary, change, reply } = zonesOf(context);
  const rules: ListRules<RRSet> = {
    key: 'rrsets',
    filters: { name: (set) => set.name, type: (set) => set.type },
    labels: (set) => set.labels,
    sorts: { id: rrsetId, name: (set) => set.name, type: (set) => set.type },
    perPageAboveLimit: knobs.perPageAboveLimit,
    selectorMissingKey: knobs.selectorMissingKey,
    maxPerPage: 100,
  };
  const idOf = ({ param }: Call): string =>
    rrsetId({ name: param('name').toLowerCase(), type: param('type').toUpperCase() });
  const setOf = (zone: Zone, call: Call): RRSet => {
    const set = zone.rrsets.get(idOf(call));
    if (set === undefined) throw notFound('RRSet', idOf(call));
    return set;
  };
  /** The set a request wants to change. */
  const changeable = (zone: Zone, call: Call): RRSet => {
    const set = setOf(zone, call);
    if (set.protection.change) throw new ApiError(423, 'protected', `RRSet ${rrsetId(set)} is change protected`);
    return set;
  };
  const store = (zone: Zone, set: RRSet): void => {
    zone.rrsets = new Map([...zone.rrsets, [rrsetId(set), set]]);
  };
  const drop = (zone: Zone, set: RRSet): void => {
    zone.rrsets = new Map([...zone.rrsets].filter(([id]) => id !== rrsetId(set)));
  };
  const kept = (set: RRSet): void => {
    if (set.type === 'SOA') throw invalidInput('type', 'a zone keeps its SOA');
  };

  const create = (call: Call): Reply => {
    const zone = findPrimary(call);
    const wanted = body.readBody(CREATE_RRSET, call.body);
    const set: RRSet = {
      name: checkName(wanted.name, zone.name),
      type: wanted.type,
      ttl: wanted.ttl ?? null,
      labels: wanted.labels ?? {},
      protection: { change: false },
      records: checkRecords(wanted.type, wanted.records),
    };
    if (zone.rrsets.has(rrsetId(set))) throw notUnique('name', 'RRSet');
    checkBeside(zone, set.name, set.type);
    checkRoom(zone, set.records.length, knobs.quotas.recordsPerZone);
    store(zone, set);
    const action = change(zone, 'create_rrset', () => {});
    return created({ rrset: rrsetView(set, zone), action: actionView(action) });
  };

  const addRecords = (call: Call): Reply => {
    const zone = findPrimary(call);
    const wanted = body.readBody(WITH_RECORDS, call.body);
    const { name, type } = body.readBody(CREATE_RRSET.pick({ name: true, type: true }), {
      name: call.param('name'),
      type: call.param('type').toUpperCase(),
    });
    const before = zone.rrsets.has(idOf(call)) ? changeable(zone, call) : undefined;
    if (before !== undefined && wanted.ttl != null && wanted.ttl !== before.ttl && knobs.addRecordsTTL === 'refuse')
      throw invalidInput('ttl', 'the RRSet has another ttl');
    const records = checkRecords(type, [...(before?.records ?? []), ...wanted.records]);
    const own = checkName(name, zone.name);
    if (before === undefined) checkBeside(zone, own, type);
    checkRoom(zone, wanted.records.length, knobs.quotas.recordsPerZone);
    return reply(
      change(zone, 'add_rrset_records', () => {
        const now = zone.rrsets.get(rrsetId({ name: own, type }));
        const fresh = records.filter(({ value }) => !now?.records.some((record) => record.value === value));
        // What was added meanwhile stays.
        if (now !== undefined) now.records = [...now.records, ...fresh];
        else
          store(zone, { name: own, type, ttl: wanted.ttl ?? null, labels: {}, protection: { change: false }, records });
      }),
    );
  };

  const removeRecords = (call: Call): Reply => {
    const zone = findPrimary(call);
    const set = changeable(zone, call);
    kept(set);
    const values = new Set(body.readBody(WITH_RECORDS, call.body).records.map(({ value }) => value));
    for (const value of values)
      if (!set.records.some((record) => record.value === value))
        throw invalidInput('records', `the RRSet has no record ${value}`);
    return reply(
      change(zone, 'remove_rrset_records', () => {
        set.records = set.records.filter(({ value }) => !values.has(value));
        // A set that is empty is none.
        if (set.records.length === 0) drop(zone, set);
      }),
    );
  };

  const actionsOf = '/zones/:zone/rrsets/:name/:type/actions';
  return {
    '/zones/:zone/rrsets': {
      GET: (call) => {
        const zone = find(call);
        return page(list([...zone.rrsets.values()], call.url, rules, (set) => rrsetView(set, zone)));
      },
      POST: create,
    },
    '/zones/:zone/rrsets/:name/:type': {
      GET: (call) => {
        const zone = find(call);
        return ok({ rrset: rrsetView(setOf(zone, call), zone) });
      },
      // Labels only: records and TTL have actions of their own.
      PUT: (call) => {
        const zone = findPrimary(call);
        const set = setOf(zone, call);
        set.labels = body.readBody(z.object({ labels: body.labels.nullish() }), call.body).labels ?? set.labels;
        return ok({ rrset: rrsetView(set, zone) });
      },
      DELETE: (call) => {
        const zone = findPrimary(call);
        const set = changeable(zone, call);
        kept(set);
        return reply(change(zone, 'delete_rrset', () => drop(zone, set)));
      },
    },
    [`${actionsOf}/set_records`]: {
      POST: (call) => {
        const zone = findPrimary(call);
        const set = changeable(zone, call);
        const records = checkRecords(set.type, body.readBody(WITH_RECORDS, call.body).records);
        checkRoom(zone, records.length - set.records.length, knobs.quotas.recordsPerZone);
        return reply(change(zone, 'set_rrset_records', () => (set.records = records)));
      },
    },
    [`${actionsOf}/add_records`]: { POST: addRecords },
    [`${actionsOf}/remove_records`]: { POST: removeRecords },
    // Comments only.
    [`${actionsOf}/update_records`]: {
      POST: (call) => {
        const zone = findPrimary(call);
        const set = changeable(zone, call);
        const { records } = body.readBody(WITH_RECORDS, call.body);
        for (const { value } of records)
          if (!set.records.some((record) => record.value === value))
            throw invalidInput('records', `the RRSet has no record ${value}`);
        const comments = new Map(records.map(({ value, comment }) => [value, comment ?? '']));
        return reply(
          change(zone, 'update_rrset_records', () => {
            set.records = set.records.map(({ value, comment }) => ({ value, comment: comments.get(value) ?? comment }));
          }),
        );
      },
    },
    [`${actionsOf}/change_ttl`]: {
      POST: (call) => {
        const zone = findPrimary(call);
        const set = changeable(zone, call);
        const { ttl } = body.readBody(z.object({ ttl: TTL.nullable() }), call.body);
        return reply(change(zone, 'change_rrset_ttl', () => (set.ttl = ttl)));
      },
    },
    [`${actionsOf}/change_protection`]: {
      POST: (call) => {
        const zone = findPrimary(call);
        const set = setOf(zone, call);
        const wanted = body.readBody(z.object({ change: z.boolean().nullish() }), call.body);
        const effect = () => (set.protection = { change: wanted.change ?? set.protection.change });
        return reply(change(zone, 'change_rrset_protection', effect));
      },
    },
  };
}
