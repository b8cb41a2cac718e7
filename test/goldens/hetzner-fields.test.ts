import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { columnOf, isObject, judgeObject, readFields } from './hetzner-fields.ts';
import { type ReplayWorld, startWorld } from './hetzner-world.ts';

/** One field of one object was broken, and a real client ran into it, or not. */
interface Broken {
  readonly client: string;
  readonly version: string;
  /** `FloatingIP`, or `FloatingIP(v6)`: another sample of it. */
  readonly object: string;
  /** `targets.0.server.id` */
  readonly field: string;
  readonly op: 'null' | 'drop' | 'wrong' | 'shape';
  readonly result: Readonly<Record<string, string>>;
}

const goldens = process.env['FAIRLEAD_GOLDENS'];
const file = ['hetzner', ''].map((folder) => path.join(goldens ?? '', folder, 'broken-answers.jsonl')).find(existsSync);
const rows =
  goldens === undefined || file === undefined
    ? []
    : readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Broken);

/** Where the lab shows one of each. */
const SAMPLES: Readonly<Record<string, readonly [path: string, key: string]>> = {
  Server: ['/servers?name=demo-control-plane-1', 'servers'],
  FloatingIP: ['/floating_ips?name=demo-floating-ip', 'floating_ips'],
  LoadBalancer: ['/load_balancers?name=demo-lb', 'load_balancers'],
  LoadBalancerType: ['/load_balancer_types', 'load_balancer_types'],
  Network: ['/networks?name=demo-network', 'networks'],
  PrimaryIP: ['/primary_ips', 'primary_ips'],
  ServerType: ['/server_types', 'server_types'],
  Location: ['/locations', 'locations'],
  Image: ['/images', 'images'],
  ISO: ['/isos', 'isos'],
  Firewall: ['/firewalls', 'firewalls'],
  PlacementGroup: ['/placement_groups', 'placement_groups'],
  Certificate: ['/certificates', 'certificates'],
  Zone: ['/zones', 'zones'],
  RRSet: ['/zones/example.com/rrsets?name=api', 'rrsets'],
  Pricing: ['/pricing', 'pricing'],
  Meta: ['/servers', 'meta'],
};

describe.skipIf(rows.length === 0)(
  'the judge of answers sees what breaks a real client (needs FAIRLEAD_GOLDENS, a folder with hetzner/broken-answers.jsonl)',
  () => {
    const fields = readFields();
    let world: ReplayWorld;
    beforeAll(async () => {
      const none = { file: '', id: '', kind: '', client: '', version: '', command: '', given: {}, requests: [] };
      world = await startWorld(none, 'from-2026-10');
    });
    afterAll(() => world.close());

    for (const [object, [where, key]] of Object.entries(SAMPLES)) {
      it(object, async () => {
        const found = (await world.send('GET', where, null)).body?.[key];
        const sample: unknown = Array.isArray(found) ? found[0] : found;
        if (!isObject(sample)) throw new Error(`the lab shows no ${object} at ${where}`);
        const harmful = rows.filter((row) => row.object.replace(/\(.*/, '') === object && harms(row));
        const missed: string[] = [];
        let judged = 0;
        for (const row of harmful) {
          const broken = structuredClone(sample);
          if (!breakIt(broken, row.field.split('.'), row.op)) continue;
          judged += 1;
          const { client, version } = row;
          if (judgeObject(fields, object, broken, columnOf(client, version), object).length === 0)
            missed.push(`${client} ${version}: ${row.field} ${row.op}: ${Object.values(row.result).join(' / ')}`);
        }
        expect(missed).toEqual([]);
        expect(judged).toBeGreaterThan(harmful.length / 2);
        for (const column of ['A', 'B', 'C', 'D'] as const) expect(judgeObject(fields, object, sample, column, object)).toEqual([]);
      });
    }
  },
);

const harms = ({ op, result }: Broken): boolean =>
  op !== 'shape' && Object.values(result).some((outcome) => outcome !== 'ok' && !outcome.includes('stub bug'));

/** Breaks one field, as the recorder did: text for number and the other way round. False when the sample has no such field. */
function breakIt(value: unknown, [step = '', ...rest]: readonly string[], op: Broken['op']): boolean {
  if (typeof value !== 'object' || value === null || !(step in value)) return false;
  const holder = value as Record<string, unknown>;
  if (rest.length > 0) return breakIt(holder[step], rest, op);
  if (op === 'drop' && Array.isArray(value)) return false;
  if (op === 'drop') delete holder[step];
  else if (op === 'null') holder[step] = null;
  else holder[step] = typeof holder[step] === 'string' ? 4 : holder[step] === null ? [1] : 'text';
  return true;
}
