import { z } from 'zod';
import * as body from '../bodies.ts';
import { ApiError, invalidInput, isProtected } from '../errors.ts';
import { type Call, type CloudContext, created, ok, type Reply, type Routes } from '../routes.ts';
import { actionView } from '../views.ts';
import { asCloudZone, zonesOf } from './context.ts';
import {
  checkBeside,
  checkName,
  checkRecords,
  checkRoom,
  CREATE_RRSET,
  firstRRSets,
  NAMESERVERS,
  TTL,
} from './records.ts';
import { type RRSet, rrsetId, type Zone } from './state.ts';
import { parseZonefile, zonefileOf } from './zonefile.ts';

const NAMESERVER = z.object({
  address: z.string().min(1),
  port: z.int().min(1).max(65_535).nullish(),
  tsig_algorithm: z.string().nullish(),
  tsig_key: z.string().nullish(),
});
const CREATE = z.object({
  name: z.string().min(1),
  mode: z.enum(['primary', 'secondary'], { error: 'Not a valid choice.' }),
  ttl: TTL.nullish(),
  labels: body.labels.nullish(),
  primary_nameservers: z.array(NAMESERVER).nullish(),
  rrsets: z.array(CREATE_RRSET).nullish(),
  zonefile: z.string().nullish(),
});

const DEFAULT_TTL = 3600;

/** DNS zones. Their record sets stand in rrset-routes.ts. */
export function zoneRoutes(context: CloudContext): Routes {
  const { project, options, knobs, actions } = context;
  const { all, find, findPrimary, change, reply } = zonesOf(context);

  /**
   * A zone is a registrable domain: one label below a public suffix. The lab has no list of suffixes; it asks for two
   * labels, and that no zone lies in another one.
   */
  const newName = (wanted: string): string => {
    const name = wanted.toLowerCase();
    if (!body.hostname.safeParse(name).success || !name.includes('.'))
      throw invalidInput('name', 'must be a registrable domain');
    all.unique(name);
    for (const other of project.zones.values())
      if (name.endsWith(`.${other.name}`) || other.name.endsWith(`.${name}`))
        throw invalidInput('name', `overlaps with the zone ${other.name}`);
    return name;
  };
  const servers = (wanted: readonly z.output<typeof NAMESERVER>[]): Zone['primaryNameservers'] =>
    wanted.map(({ address, port, tsig_algorithm, tsig_key }) => ({
      address,
      port: port ?? 53,
      tsig_algorithm: tsig_algorithm ?? undefined,
      tsig_key: tsig_key ?? undefined,
    }));
  /** A zone file replaces everything, but the SOA and the name servers of the zone stay Hetzner's unless it has some. */
  const imported = (zone: Pick<Zone, 'name' | 'rrsets'>, text: string) => {
    const { rrsets, ttl, origin } = parseZonefile(text, zone.name);
    const has = (name: string, value = ''): boolean =>
      rrsets.some((set) => rrsetId(set) === name && (value === '' || set.records.some((r) => r.value === value)));
    if (knobs.incompleteZonefile === 'refuse') {
      if (origin !== `${zone.name}.`) throw invalidInput('zonefile', '$ORIGIN is not the zone');
      if (!has('@/SOA')) throw invalidInput('zonefile', 'has no SOA record');
      if (!NAMESERVERS.every((server) => has('@/NS', server)))
        throw invalidInput('zonefile', 'lacks NS records of the assigned name servers');
    }
    const first = firstRRSets(options.clock.wall()).filter(
      (set) => !rrsets.some((own) => rrsetId(own) === rrsetId(set)),
    );
    const sets = new Map([...first, ...rrsets].map((set) => [rrsetId(set), set]));
    const protectedOnes = [...zone.rrsets.values()].filter((set) => set.protection.change);
    if (protectedOnes.length > 0)
      throw new ApiError(423, 'protected', `RRSet ${protectedOnes.map(rrsetId).join(', ')} is change protected`);
    return { sets, ttl };
  };

  const create = (call: Call): Reply => {
    const wanted = body.readBody(CREATE, call.body);
    const name = newName(wanted.name);
    all.room(knobs.quotas.zones);
    const { mode } = wanted;
    const nameservers = servers(wanted.primary_nameservers ?? []);
    if (mode === 'secondary' && nameservers.length === 0)
      throw invalidInput('primary_nameservers', 'is needed for a secondary zone');
    if (mode === 'primary' && nameservers.length > 0)
      throw invalidInput('primary_nameservers', 'only a secondary zone has some');
    if (mode === 'secondary' && (wanted.rrsets != null || wanted.zonefile != null))
      throw new ApiError(422, 'incorrect_zone_mode', 'a secondary zone takes its records from its name servers');
    if (wanted.rrsets != null && wanted.zonefile != null)
      throw invalidInput('zonefile', 'zonefile and rrsets exclude each other');
    const zone: Zone = {
      id: project.nextId(),
      name,
      mode,
      ttl: wanted.ttl ?? DEFAULT_TTL,
      created: options.clock.wall(),
      labels: wanted.labels ?? {},
      protection: { delete: false },
      status: 'updating',
      primaryNameservers: nameservers,
      rrsets: new Map(firstRRSets(options.clock.wall()).map((set) => [rrsetId(set), set])),
    };
    if (wanted.zonefile != null) {
      const { sets, ttl } = imported(zone, wanted.zonefile);
      zone.rrsets = sets;
      zone.ttl = wanted.ttl ?? ttl ?? DEFAULT_TTL;
    }
    for (const each of wanted.rrsets ?? []) {
      const set: RRSet = {
        name: checkName(each.name, name),
        type: each.type,
        ttl: each.ttl ?? null,
        labels: each.labels ?? {},
        protection: { change: false },
        records: checkRecords(each.type, each.records),
      };
      checkBeside(zone, set.name, set.type);
      zone.rrsets = new Map([...zone.rrsets, [rrsetId(set), set]]);
    }
    checkRoom(zone, 0, knobs.quotas.recordsPerZone);
    project.zones.set(zone.id, zone);
    const action = change(zone, 'create_zone', () => (zone.status = 'ok'));
    return created({ ...all.answer(zone), action: actionView(action) });
  };

  const remove = (call: Call): Reply => {
    const zone = find(call);
    if (zone.protection.delete) throw isProtected('Zone');
    const action = actions.start({
      command: 'delete_zone',
      resources: [{ id: zone.id, type: 'zone' }],
      locks: [{ id: zone.id, type: 'zone' }],
      delay: knobs.delays.zone,
      effect: async () => {
        project.zones.delete(zone.id);
        await options.effects.zoneDeleted?.(asCloudZone(zone));
      },
    });
    return reply(action);
  };

  return {
    '/zones': { GET: all.listing, POST: create },
    '/zones/:zone': {
      GET: (call) => ok(all.answer(find(call))),
      PUT: (call) => {
        const zone = find(call);
        zone.labels = body.readBody(z.object({ labels: body.labels.nullish() }), call.body).labels ?? zone.labels;
        return ok(all.answer(zone));
      },
      DELETE: remove,
    },
    '/zones/:zone/zonefile': { GET: (call) => ok({ zonefile: zonefileOf(findPrimary(call)) }) },
    '/zones/:zone/actions/import_zonefile': {
      POST: (call) => {
        const zone = findPrimary(call);
        const { sets } = imported(zone, body.readBody(z.object({ zonefile: z.string() }), call.body).zonefile);
        checkRoom({ ...zone, rrsets: sets }, 0, knobs.quotas.recordsPerZone);
        return reply(change(zone, 'import_zonefile', () => (zone.rrsets = sets)));
      },
    },
    '/zones/:zone/actions/change_ttl': {
      POST: (call) => {
        const zone = findPrimary(call);
        const { ttl } = body.readBody(z.object({ ttl: TTL }), call.body);
        return reply(change(zone, 'change_zone_ttl', () => (zone.ttl = ttl)));
      },
    },
    '/zones/:zone/actions/change_primary_nameservers': {
      POST: (call) => {
        const zone = find(call);
        if (zone.mode !== 'secondary')
          throw new ApiError(422, 'incorrect_zone_mode', 'a primary zone has no primary name servers');
        const wanted = body.readBody(z.object({ primary_nameservers: z.array(NAMESERVER).min(1) }), call.body);
        const nameservers = servers(wanted.primary_nameservers);
        return reply(change(zone, 'change_zone_primary_nameservers', () => (zone.primaryNameservers = nameservers)));
      },
    },
    '/zones/:zone/actions/change_protection': {
      POST: (call) => {
        const zone = find(call);
        const wanted = body.readBody(z.object({ delete: z.boolean().nullish() }), call.body);
        const effect = () => (zone.protection = { delete: wanted.delete ?? zone.protection.delete });
        return reply(change(zone, 'change_zone_protection', effect));
      },
    },
  };
}
