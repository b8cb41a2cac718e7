import type { Answer } from '../../lab/cloud/testing.ts';
import type { Era } from '../../lab/cloud/types.ts';
import { systemClock } from '../../src/base/clock.ts';
import { textOf } from '../../src/base/failure.ts';
import { type Column, columnOf, type Fields, isObject, judgeObject } from './hetzner-fields.ts';
import { unseenServers } from './hetzner-ids.ts';
import { prepare } from './hetzner-prepare.ts';
import type { RecordedRequest, Recording } from './hetzner-recordings.ts';
import { type ReplayWorld, startWorld } from './hetzner-world.ts';

/** What came of one recording. */
export interface Replay {
  readonly recording: Recording;
  readonly requests: number;
  /** What this client would have stumbled over. */
  readonly troubles: readonly string[];
}

/** The kinds of things in answers: key of the answer, object of the table. */
const OBJECTS: Readonly<Record<string, string>> = {
  floating_ip: 'FloatingIP',
  server: 'Server',
  load_balancer: 'LoadBalancer',
  load_balancer_type: 'LoadBalancerType',
  network: 'Network',
  member: 'NetworkMember',
  action: 'Action',
  next_action: 'Action',
  primary_ip: 'PrimaryIP',
  zone: 'Zone',
  rrset: 'RRSet',
  location: 'Location',
  server_type: 'ServerType',
  image: 'Image',
  iso: 'ISO',
  firewall: 'Firewall',
  certificate: 'Certificate',
  placement_group: 'PlacementGroup',
  ssh_key: 'SSHKey',
  pricing: 'Pricing',
  error: 'Error',
  meta: 'Meta',
};
/** Lists whose length is the world's; what every project sees alike may be longer or shorter here. */
const OURS = new Set(['servers', 'floating_ips', 'load_balancers', 'networks', 'firewalls', 'placement_groups', 'ssh_keys', 'zones']);

const singular = (key: string): string => key.replace(/s$/, '');

/** The era that a recording asks for; all clients work with today's API. */
const eraOf = (recording: Recording): Era => (recording.given.era === undefined || recording.given.era === '2026-10' ? 'from-2026-10' : 'until-2026-09');

/** Recordings that one world saw one after the other: terraform's steps (`name.1-apply`, `name.2-plan`), else each alone. */
export function chains(recordings: readonly Recording[]): Recording[][] {
  const byWorld = new Map<string, Recording[]>();
  for (const recording of recordings) {
    const step = /^(.+)\.\d+-\w+$/.exec(recording.id);
    const key = `${recording.file}/${step === null ? recording.id : `${step[1]}.`}`;
    byWorld.set(key, [...(byWorld.get(key) ?? []), recording]);
  }
  return [...byWorld.values()];
}

/** Sends what a client sent to a lab's cloud, request by request, and judges each answer as that client would. */
export async function replay(chain: readonly Recording[], fields: Fields): Promise<Replay[]> {
  const [first] = chain;
  if (first === undefined) return [];
  const world = await startWorld(first, eraOf(first));
  const unseen = unseenServers(chain);
  try {
    const replays: Replay[] = [];
    for (const recording of chain) {
      const troubles = await replayOne(world, recording, fields, unseen);
      if (troubles.length > 0) troubles.push(...world.missing.map((part) => `(the world lacks ${part})`));
      replays.push({ recording, requests: recording.requests.length, troubles });
    }
    return replays;
  } finally {
    await world.close();
  }
}

async function replayOne(world: ReplayWorld, recording: Recording, fields: Fields, unseen: ReturnType<typeof unseenServers>): Promise<string[]> {
  const column = columnOf(recording.client, recording.version);
  const troubles: string[] = [];
  const pointless = new Set<number>();
  for (const request of recording.requests) {
    const at = `#${request.n} ${request.method} ${request.path}${request.query === '' ? '' : `?${request.query}`}`;
    if (request.method !== 'GET') {
      await world.settle();
      await prepare(world, request, recording.given.faults ?? []);
    }
    if (asksForNothing(request, pointless)) continue;
    const answer = await ask(world, request).catch((error: unknown) => textOf(error));
    const found = typeof answer === 'string' ? unanswered(request, answer) : judge(fields, column, request, answer);
    troubles.push(...found.map((trouble) => `${at}: ${trouble}`));
    if (typeof answer === 'string') continue;
    learn(world, request, answer, unseen);
    for (const action of actionsIn(request.answer)) if (answer.body?.['action'] === null) pointless.add(Number(action['id']));
  }
  return troubles;
}

/** Where the lab's answer says that there is no action to wait for, no client would ask for one. */
function asksForNothing(request: RecordedRequest, pointless: ReadonlySet<number>): boolean {
  const asked = new URLSearchParams(request.query).getAll('id').map(Number);
  return request.path === '/v1/actions' && asked.length > 0 && asked.every((id) => pointless.has(id));
}

/** One request; a poll for an action that had ended in the recording is repeated until it has ended here. */
async function ask(world: ReplayWorld, request: RecordedRequest): Promise<Answer> {
  const query = world.ids.query(request.query);
  const target = world.ids.path(request.path).replace(/^\/v1/, '') + (query === '' ? '' : `?${query}`);
  const until = Date.now() + 5_000;
  for (;;) {
    const answer = await world.send(request.method, target, world.ids.body(request.body, request.path));
    const running = actionsIn(answer.body).some((action) => action['status'] === 'running');
    if (request.method !== 'GET' || !ended(request.answer) || !running || Date.now() > until) return answer;
    await systemClock.sleep(2);
  }
}

const actionsIn = (body: unknown): Readonly<Record<string, unknown>>[] =>
  isObject(body) ? [body['actions'], body['action']].flat().filter(isObject) : [];
const ended = (body: unknown): boolean => actionsIn(body).length > 0 && actionsIn(body).every((action) => action['status'] !== 'running');

const unanswered = (request: RecordedRequest, why: string): string[] =>
  typeof request.status === 'number' ? [`no answer: ${why}`] : [];

function judge(fields: Fields, column: Column, request: RecordedRequest, answer: Answer): string[] {
  const { status, body = {} } = answer;
  const code = codeOf(body);
  const words = `${status}${code === undefined ? '' : ` ${code}: ${messageOf(body)}`}`;
  if (typeof request.status !== 'number') return [`the client met no answer, here it is ${words}`];
  const expected = codeOf(request.answer);
  if (Math.floor(status / 100) !== Math.floor(request.status / 100)) return [`${words}; the client met ${request.status} ${expected ?? ''}`];
  const type = answer.headers.get('content-type') ?? '';
  if (status === 204) return type === '' && answer.body === undefined ? [] : ['204 with a body or a content type'];
  // Gateways answer with a page.
  if (status === 502 || status === 504) return [];
  if (!type.startsWith('application/json')) return [`content type ${type}`];
  if (status >= 300 && code !== expected && isObject(request.answer)) return [`${words}; the client met ${expected}`];
  return [...judgeContent(fields, column, body), ...(status < 300 ? judgeExtent(request, body) : [])];
}

const codeOf = (body: unknown): string | undefined => {
  const error = isObject(body) ? body['error'] : undefined;
  return isObject(error) && typeof error['code'] === 'string' ? error['code'] : undefined;
};
const messageOf = (body: unknown): string => {
  const error = isObject(body) ? body['error'] : undefined;
  return isObject(error) ? String(error['message']) : '';
};

/** Everything in the answer, by the table. */
function judgeContent(fields: Fields, column: Column, body: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(body).flatMap(([key, value]) => {
    const object = OBJECTS[key] ?? OBJECTS[singular(key)];
    if (object === undefined || value === null) return [];
    if (!Array.isArray(value)) return judgeObject(fields, object, value, column, key);
    return value.flatMap((item, index) => judgeObject(fields, object, item, column, `${key}[${index}]`)).slice(0, 8);
  });
}

/** Whether all is there that the client was given: keys, as many things, the actions it asked for and how they ended. */
function judgeExtent(request: RecordedRequest, body: Readonly<Record<string, unknown>>): string[] {
  const recorded = isObject(request.answer) ? request.answer : {};
  const troubles: string[] = [];
  for (const [key, value] of Object.entries(recorded)) {
    if (key === 'left_out_bytes' || value === null || (key === 'root_password' && key in body)) continue;
    const needed = body[key] === undefined || (body[key] === null && request.path.includes('/actions/'));
    if (needed) troubles.push(`the answer has no ${key}`);
    const chosen = /(^|&)(name|label_selector|id|ip)=/.test(request.query);
    if (Array.isArray(value) && Array.isArray(body[key]) && (chosen ? (value.length === 0) !== (body[key].length === 0) : value.length > 0 && body[key].length === 0))
      troubles.push(`${key} holds ${body[key].length}, the client met ${value.length}`);
  }
  const list = Object.keys(body).find((key) => OURS.has(key));
  const [wanted, got] = [entriesOf(recorded), entriesOf(body)];
  if (list !== undefined && wanted !== undefined && wanted !== got) troubles.push(`${got ?? 'no'} ${list} in all, the client met ${wanted}`);
  const asked = new URLSearchParams(request.query).getAll('id').length;
  if (request.path === '/v1/actions' && asked !== actionsIn(body).length) troubles.push(`${asked} actions asked for, ${actionsIn(body).length} came`);
  if (ended(recorded) && request.method === 'GET') {
    const [theirs, ours] = [recorded, body].map((side) => actionsIn(side).map((action) => String(action['status'])).toSorted().join());
    if (theirs !== ours) troubles.push(`the action is ${ours} (${actionsIn(body).map((a) => JSON.stringify(a['error'])).join()}), the client met ${theirs}`);
  }
  return troubles;
}

function entriesOf(body: Readonly<Record<string, unknown>>): number | undefined {
  const meta = body['meta'];
  const total = isObject(meta) && isObject(meta['pagination']) ? meta['pagination']['total_entries'] : undefined;
  return typeof total === 'number' ? total : undefined;
}

/** Ids and addresses that came with an answer. */
function learn(world: ReplayWorld, request: RecordedRequest, answer: Answer, unseen: ReturnType<typeof unseenServers>): void {
  const { ids } = world;
  const ours = answer.body ?? {};
  const theirs = isObject(request.answer) ? request.answer : {};
  if (request.method === 'POST' && 'left_out_bytes' in theirs) {
    const known = request.path === '/v1/servers' ? unseen.shift() : undefined;
    for (const [key, value] of Object.entries(ours)) {
      const [first]: unknown[] = [value].flat();
      const id = isObject(first) ? first['id'] : undefined;
      const kind = OBJECTS[key] === undefined ? singular(key) : key;
      const recorded = { server: known?.server, action: known?.create, next_action: known?.start }[kind];
      if (recorded !== undefined) ids.learn(kind === 'next_action' ? 'action' : kind, recorded, id);
      else if (id !== undefined) ids.unseen(kind === 'next_action' ? 'action' : kind, id);
    }
    return;
  }
  if (request.method !== 'POST' && request.method !== 'DELETE') return;
  for (const [key, value] of Object.entries(theirs)) {
    const kind = { next_actions: 'action', actions: 'action' }[key] ?? key;
    const [recorded, mine] = [[value].flat(), [ours[key]].flat()];
    recorded.forEach((item, index) => {
      const other = mine[index];
      if (!isObject(item) || !isObject(other)) return;
      ids.learn(kind, item['id'], other['id']);
      ids.learnAddress(item['ip'], other['ip']);
    });
  }
}

