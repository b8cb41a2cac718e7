import { type Answer, READ_WRITE, testCloud, type TestCloud } from '../../lab/cloud/testing.ts';
import { DEFAULT_KNOBS, type CloudKnobs, type Delay } from '../../lab/cloud/knobs.ts';
import { type CloudFaults, NO_FAULTS } from '../../lab/cloud/faults.ts';
import type { Era } from '../../lab/cloud/types.ts';
import { systemClock } from '../../src/base/clock.ts';
import { isObject } from './hetzner-fields.ts';
import { createIdMap, type IdMap } from './hetzner-ids.ts';
import type { RecordedFault, Recording } from './hetzner-recordings.ts';

/** The recorder's world, made again in a lab's cloud. */
export interface ReplayWorld {
  readonly cloud: TestCloud;
  readonly ids: IdMap;
  /** Parts of the world that this cloud would not make, with its answer. */
  readonly missing: readonly string[];
  /** Calls, and keeps in mind the actions that are told of. */
  send(method: string, path: string, body: unknown): Promise<Answer>;
  /** Waits until no action runs that was told of here. */
  settle(): Promise<void>;
  close(): Promise<void>;
}

const SERVERS = [
  ['demo-control-plane-1', 101, 'controlplane', 601, '203.0.113.11'],
  ['demo-control-plane-2', 102, 'controlplane', 602, '203.0.113.12'],
  ['demo-control-plane-3', 103, 'controlplane', 603, '203.0.113.13'],
  ['demo-worker-1', 111, 'worker', 611, '203.0.113.14'],
] as const;
const OWNED = { 'ksail.owned': 'true', 'ksail.cluster.name': 'demo' };
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGZha2VrZXlmYWtla2V5ZmFrZWtleWZha2VrZXlmYWtl demo';

/** Every action at once, every quota far away: what is asked of the answers here is their form. */
function knobs(quota: number): Partial<CloudKnobs> {
  const { delays, quotas } = DEFAULT_KNOBS;
  const now: Delay = [0, 0];
  return {
    delays: Object.fromEntries(Object.keys(delays).map((key) => [key, now])) as unknown as CloudKnobs['delays'],
    quotas: { ...(Object.fromEntries(Object.keys(quotas).map((key) => [key, 1_000])) as unknown as CloudKnobs['quotas']), servers: quota },
    rateLimit: { capacity: 1_000_000, refillPerSecond: 1_000 },
  };
}

/** The recorder's faults, as the lab has them. Those that a state of the project brings about are made so instead. */
function faultsOf(recording: Recording, on: () => boolean): CloudFaults {
  const left = (recording.given.faults ?? []).filter((fault) => !byState(fault)).map((fault) => ({ ...fault }));
  return {
    ...NO_FAULTS,
    request({ method, path }) {
      const fault = on() ? left.find((one) => one.times > 0 && matches(one, method, path)) : undefined;
      if (fault === undefined) return [];
      fault.times -= 1;
      const { status, code } = fault;
      return fault.hang === true ? [{ kind: 'reset' }] : [{ kind: 'answer', status, code, message: 'injected' }];
    },
    action: ({ command }) =>
      on() && command === recording.given.action_error ? { error: { code: 'action_failed', message: 'injected' } } : {},
  };
}

/** A protected thing and a full project are states that the lab's cloud can be in by itself. */
export const byState = (fault: RecordedFault): boolean => ['protected', 'resource_limit_exceeded'].includes(fault.code);

export const matches = (fault: RecordedFault, method: string, path: string): boolean =>
  (fault.method === undefined || fault.method === method) && new RegExp(fault.path).test(path.replace(/\?.*/, ''));

export async function startWorld(recording: Recording, era: Era): Promise<ReplayWorld> {
  const { extra_servers = 0, extra_fips = 0 } = recording.given;
  const servers = SERVERS.length + extra_servers;
  const full = recording.given.faults?.some((fault) => fault.code === 'resource_limit_exceeded') === true;
  let building = true;
  let given = 0;
  const cloud = await testCloud({
    era,
    speed: 30,
    knobs: knobs(full ? servers : 1_000),
    faults: faultsOf(recording, () => !building),
    network: { name: 'demo-network', ipRange: '10.0.0.0/16', subnet: '10.0.1.0/24' },
    effects: {
      // 203.0.113.0/24 is the recorder's. Its clients also use addresses of it as somebody else's, so none is given here.
      allocate: (purpose) => {
        given += 1;
        const [high, low] = [Math.floor(given / 200), 10 + (given % 200)];
        return purpose === 'private' ? `10.0.1.${given < 240 ? given + 2 : 255 - (given % 10)}` : `198.51.${100 + high}.${low}`;
      },
      rebuilt: async () => {},
    },
  });

  const ids = createIdMap();
  const missing: string[] = [];
  const running = new Set<number>();
  const note = (body: Answer['body']): void => {
    for (const action of [body?.['action'], body?.['actions'], body?.['next_actions']].flat())
      if (isObject(action) && typeof action['id'] === 'number' && action['status'] === 'running') running.add(action['id']);
  };
  const send: ReplayWorld['send'] = async (method, path, body) => {
    const response = await fetch(cloud.cloud.url + path, {
      method,
      headers: { authorization: `Bearer ${READ_WRITE}`, ...(body == null ? {} : { 'content-type': 'application/json' }) },
      ...(body == null ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const type = response.headers.get('content-type') ?? '';
    const parsed: unknown = type.startsWith('application/json') && text !== '' ? JSON.parse(text) : undefined;
    const answer = { status: response.status, headers: response.headers, body: isObject(parsed) ? parsed : undefined };
    if (method !== 'GET') note(answer.body);
    return answer;
  };
  const settle = async (): Promise<void> => {
    const until = Date.now() + 5_000;
    for (const id of running) {
      while (Date.now() < until) {
        const action = (await cloud.call('GET', `/actions/${id}`)).body?.['action'];
        if (!isObject(action) || action['status'] !== 'running') break;
        await systemClock.sleep(2);
      }
      running.delete(id);
    }
  };
  const make = async (what: string, path: string, body: unknown): Promise<Readonly<Record<string, unknown>> | undefined> => {
    const answer = await send('POST', path, body);
    await settle();
    if (answer.status < 300) return answer.body;
    missing.push(`${what}: ${answer.status} ${JSON.stringify(answer.body).slice(0, 160)}`);
    return undefined;
  };
  const one = async (what: string, kind: string, recorded: number, path: string, body: unknown): Promise<Readonly<Record<string, unknown>>> => {
    const thing = (await make(what, path, body))?.[kind];
    if (!isObject(thing)) return {};
    ids.learn(kind, recorded, thing['id']);
    return thing;
  };
  const first = async (path: string, key: string): Promise<number | undefined> => {
    const list = (await cloud.call('GET', path)).body?.[key];
    const item: unknown = Array.isArray(list) ? list[0] : undefined;
    return isObject(item) && typeof item['id'] === 'number' ? item['id'] : undefined;
  };

  for (const [name, id, type] of SERVERS)
    ids.learn('server', id, cloud.cloud.addServer({ name, labels: { ...OWNED, 'ksail.node.type': type }, userData: '' }).id);
  for (let i = 0; i < extra_servers; i += 1) cloud.cloud.addServer({ name: `filler-${i}`, labels: OWNED, userData: '' });
  for (const [, id, , primary, recorded] of SERVERS) {
    const server = (await cloud.call('GET', `/servers/${ids.ours('server', id)}`)).body?.['server'];
    const net = isObject(server) && isObject(server['public_net']) ? server['public_net']['ipv4'] : undefined;
    if (!isObject(net)) continue;
    ids.learn('primary_ip', primary, net['id']);
    ids.learnAddress(recorded, net['ip']);
  }
  ids.learn('network', 301, await first('/networks?name=demo-network', 'networks'));
  ids.learn('image', 300_000_001, await first('/images?type=snapshot', 'images'));
  ids.learn('load_balancer_type', 2, await first('/load_balancer_types?name=lb21', 'load_balancer_types'));
  ids.learn('load_balancer_type', 1, await first('/load_balancer_types?name=lb11', 'load_balancer_types'));

  const v4 = { type: 'ipv4', home_location: 'fsn1' };
  const held201 = await one('demo-floating-ip', 'floating_ip', 201, '/floating_ips', { ...v4, name: 'demo-floating-ip', server: ids.ours('server', 101), labels: OWNED });
  ids.learnAddress('203.0.113.200', held201['ip']);
  const free = await one('free-ip', 'floating_ip', 202, '/floating_ips', { ...v4, name: 'free-ip' });
  ids.learnAddress('203.0.113.202', free['ip']);
  const six = await one('v6-ip (IPv6)', 'floating_ip', 203, '/floating_ips', { ...v4, type: 'ipv6', name: 'v6-ip', labels: { family: 'six' } });
  if (typeof six['ip'] === 'string') ids.learnAddress('2001:db8:5::1', six['ip'].replace(/\/\d+$/, '').replace(/::$/, '::1'));
  for (let i = 0; i < extra_fips; i += 1) await make('filler address', '/floating_ips', { ...v4, name: `filler-${i}` });
  await one('demo-key', 'ssh_key', 601, '/ssh_keys', { name: 'demo-key', public_key: KEY });
  const spare = await one('demo-spare-ip', 'primary_ip', 590, '/primary_ips', { name: 'demo-spare-ip', type: 'ipv4', assignee_type: 'server', auto_delete: false, location: 'fsn1' });
  ids.learnAddress('203.0.113.90', spare['ip']);
  await one('demo-placement', 'placement_group', 901, '/placement_groups', { name: 'demo-placement', type: 'spread' });
  await one('demo-firewall', 'firewall', 701, '/firewalls', {
    name: 'demo-firewall',
    labels: { 'ksail.owned': 'true' },
    rules: [{ direction: 'in', protocol: 'tcp', port: '6443', source_ips: ['0.0.0.0/0', '::/0'], destination_ips: [], description: 'api' }],
    apply_to: [{ type: 'server', server: { id: ids.ours('server', 101) } }],
  });
  const balancer = await one('demo-lb', 'load_balancer', 401, '/load_balancers', {
    name: 'demo-lb',
    load_balancer_type: 'lb11',
    location: 'fsn1',
    services: [{ protocol: 'tcp', listen_port: 6443, destination_port: 6443, proxyprotocol: false, health_check: { protocol: 'tcp', port: 6443, interval: 15, timeout: 10, retries: 3 } }],
    targets: [{ type: 'server', server: { id: ids.ours('server', 101) }, use_private_ip: false }],
  });
  const net = isObject(balancer['public_net']) ? balancer['public_net']['ipv4'] : undefined;
  ids.learnAddress('203.0.113.241', isObject(net) ? net['ip'] : undefined);
  await one('empty-lb', 'load_balancer', 402, '/load_balancers', { name: 'empty-lb', load_balancer_type: 'lb11', location: 'fsn1' });
  await one('example.com', 'zone', 801, '/zones', { name: 'example.com', mode: 'primary', ttl: 3600 });
  await make('api A of example.com', '/zones/example.com/rrsets', { name: 'api', type: 'A', ttl: 60, records: [{ value: '203.0.113.200' }] });
  await one('managed-cert', 'certificate', 1002, '/certificates', { name: 'managed-cert', type: 'managed', domain_names: ['api.example.com'] });
  building = false;

  return {
    cloud,
    ids,
    missing,
    send,
    settle,
    close: () => cloud.cloud.close(),
  };
}
