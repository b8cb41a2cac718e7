import { systemClock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import { at, isTold, plainPath, requestsAt, type ObservedRequest, type Told } from './observed.ts';
import type { CloudFault, SeenRequest, Stage } from './stage.ts';

export interface Judged {
  readonly id: string;
  readonly compared: readonly string[];
  readonly troubles: readonly string[];
}

interface Situation {
  readonly id: string;
  readonly compared: readonly string[];
  readonly run: (stage: Stage) => Promise<readonly string[]>;
}

const SOON_MS = 8_000;
/** Long enough, at the stage's speed, to see that nothing comes. */
const QUIET_MS = 1_500;
const REFUSED = 'b'.repeat(64);

/** Differences between what was seen and what Talos' operator did, over the fields that the observation has. */
function differ(seen: readonly SeenRequest[], observed: readonly ObservedRequest[]): string[] {
  const troubles: string[] = [];
  for (const [n, wanted] of observed.entries()) {
    const found = seen[n];
    const want = `${wanted.method} ${plainPath(wanted.path)}`;
    if (found === undefined) {
      troubles.push(`request ${n + 1} did not come: ${want}`);
      continue;
    }
    const got = `${found.method} ${plainPath(found.path)}`;
    if (got !== want) troubles.push(`request ${n + 1} is ${got}; Talos sends ${want}`);
    if (wanted.query !== undefined && wanted.query !== found.query) troubles.push(`request ${n + 1} asks ?${found.query}; Talos ?${wanted.query}`);
    const status = wanted.status === -1 ? 0 : wanted.status;
    if (status !== undefined && status !== found.status) troubles.push(`request ${n + 1} was answered ${found.status}; observed ${status}`);
    const [ours, theirs] = [shape(found.body), shape(wanted.body)];
    if (theirs !== '' && ours !== theirs) troubles.push(`request ${n + 1} sends ${ours}; Talos ${theirs}`);
  }
  return troubles;
}

/** A body without the numbers and addresses of its world: `{"network":0,"alias_ips":["*"]}`. */
function shape(body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body ?? '');
  return text === '""' ? '' : text.replaceAll(/:\d+/g, ':0').replaceAll(/"[\d.:a-f]*[.:][\d.:a-f]*"/g, '"*"');
}

const exactly = (seen: readonly SeenRequest[], observed: readonly ObservedRequest[]): string[] => [
  ...differ(seen, observed),
  ...(seen.length > observed.length ? [`${seen.length} requests; Talos sends ${observed.length}`] : []),
];

const said = (stage: Stage, text: string): string[] =>
  stage.log.some(({ line }) => line.includes(text)) ? [] : [`the log does not say ${JSON.stringify(text)}`];

/** Three candidates in their order; the first holds. What happened up to then is forgotten. */
async function gathered(stage: Stage, options: Parameters<Stage['start']>[1] = {}) {
  const first = stage.start('cp-1', options);
  await stage.until('the first one holds', () => stage.holders.has('cp-1'), SOON_MS);
  const second = stage.start('cp-2', options);
  await systemClock.sleep(60);
  const third = stage.start('cp-3', options);
  await systemClock.sleep(60);
  stage.requests.length = 0;
  stage.log.length = 0;
  return { first, second, third };
}

const moved = (stage: Stage): Promise<number> =>
  stage.until('the next one holds', () => stage.holders.has('cp-2') && !stage.holders.has('cp-1'), SOON_MS);

type Move = (operators: Awaited<ReturnType<typeof gathered>>) => void;
const graceful: Move = ({ first }) => void first.stop('graceful');
const cancelled: Move = ({ first }) => void first.stop('cancelled');
const lettingGo: Move = ({ first }) => first.letGo();
const killed: Move = ({ first }) => first.kill();

/** One holder goes, the next takes over: the requests of both. */
const handover = (id: string, observed: readonly ObservedRequest[], move: Move, alias = false): Situation => ({
  id,
  compared: ['requests', 'log'],
  async run(stage) {
    const options = alias ? { ip: ALIAS, place: await stage.place('cp-1', { ip: ALIAS }) } : {};
    const operators = await gathered(stage, options);
    move(operators);
    if (move === killed) {
      await stage.until('the next one holds', () => stage.holders.has('cp-2'), SOON_MS);
    } else await moved(stage);
    return [
      ...exactly(stage.requests.slice(0, observed.length + 1).filter(({ by }) => by !== 'cp-3'), observed),
      ...said(stage, alias ? 'assigned Hetzner Cloud IP alias' : 'assigned Hetzner Cloud floating IP'),
      ...said(stage, 'enabled shared IP'),
      ...(move === killed ? [] : said(stage, 'removing shared IP')),
    ];
  },
});

const ALIAS = '10.0.0.100';

const acquiring = (id: string, observed: readonly ObservedRequest[], alias: boolean, pages = 1): Situation => ({
  id,
  compared: ['requests', 'log'],
  async run(stage) {
    const options = alias ? { ip: ALIAS, place: await stage.place('cp-1', { ip: ALIAS }) } : {};
    if (pages > 1) await stage.fillPages();
    stage.requests.length = 0;
    stage.start('cp-1', options);
    await stage.until('it holds', () => stage.holders.has('cp-1'), SOON_MS);
    return [...exactly(stage.requests, observed), ...said(stage, alias ? 'IP alias' : 'assigned Hetzner Cloud floating IP'), ...said(stage, 'enabled shared IP')];
  },
});

/** The fault is what the observation's own failed requests say; who is told in HTML is told no error code. */
function faultOf(observed: readonly ObservedRequest[], words: string): CloudFault {
  const failed = observed.filter(({ status }) => status !== undefined && (status < 200 || status >= 300));
  const paths = new Set(failed.map(({ method, path }) => `${method} ${plainPath(path)}`));
  const status = failed[0]?.status ?? 500;
  const html = words.includes('server responded with status code');
  return {
    on: (method, path) => paths.has(`${method} ${plainPath(path)}`),
    answer:
      status < 0
        ? 'reset'
        : html
          ? { status, body: '<html><body>Bad Gateway</body></html>', type: 'text/html' }
          : { status, body: JSON.stringify({ error: { code: CODES[status] ?? 'service_error', message: 'x' } }), type: 'application/json' },
  };
}

const CODES: Readonly<Record<number, string>> = {
  401: 'unauthorized',
  403: 'forbidden',
  409: 'conflict',
  422: 'invalid_input',
  423: 'locked',
  429: 'rate_limit_exceeded',
  503: 'unavailable',
  504: 'timeout',
};

/** Two candidates while the cloud misbehaves: who asks what, how often, and the words in the log. */
const faulty = (id: string, observed: Told): Situation => ({
  id,
  compared: ['requests', 'pace of retries', 'log'],
  async run(stage) {
    const wanted = requestsAt(observed, 'first_requests');
    const told = at(observed, 'first_log', 'err');
    const words = typeof told === 'string' ? told : '';
    const { first } = await gathered(stage);
    stage.fault(faultOf(wanted, words));
    void first.stop('graceful');
    await stage.until('as many requests as were observed', () => stage.requests.length >= wanted.length, 30_000);
    const expected = words.replaceAll(/"[^"]*"/g, '*').replaceAll(/\d+/g, '0').replace(/\s*".*$/, '');
    const line = stage.log.find((entry) => entry.line.includes('campaign failure'))?.line ?? '';
    const ours = (/"error": "(.*)"}$/.exec(line)?.[1] ?? '').replaceAll('\\"', '"').replaceAll(/"[^"]*"/g, '*').replaceAll(/\d+/g, '0');
    return [
      ...differ(stage.requests, wanted),
      ...(ours.startsWith(expected) ? [] : [`the log says ${JSON.stringify(ours)}; Talos ${JSON.stringify(expected)}`]),
    ];
  },
});

/** An answer that never comes: the election is held, nobody takes over, nothing is said. */
const hanging = (id: string, on: CloudFault['on']): Situation => ({
  id,
  compared: ['takeover', 'log'],
  async run(stage) {
    const { first } = await gathered(stage);
    stage.fault({ on, answer: 'hang' });
    void first.stop('graceful');
    await stage.until('the cloud is asked', () => stage.requests.some(({ status }) => status === 0), SOON_MS);
    const asked = stage.requests.length;
    await systemClock.sleep(QUIET_MS * 3);
    return [
      ...(stage.holders.size > 0 ? ['another one took over'] : []),
      ...(stage.requests.length > asked ? [`${stage.requests.length - asked} more requests`] : []),
      ...(stage.log.some(({ line }) => line.includes('campaign failure')) ? ['the log tells of a failure'] : []),
    ];
  },
});

/** All situations that the document tells of. What it does not tell of is not judged. */
export function situationsOf(observed: Told): Situation[] {
  const list = (...keys: readonly string[]): ObservedRequest[] => requestsAt(observed, ...keys);
  const situations: Situation[] = [];
  const add = (told: boolean, situation: Situation): void => void (told && situations.push(situation));
  const moves: readonly (readonly [string, Move])[] = [
    ['graceful_sigterm', graceful],
    ['apiserver_pod_object_gone', lettingGo],
    ['etcd_service_not_running', lettingGo],
    ['operator_cancelled', cancelled],
  ];
  for (const [name, move] of moves) {
    const requests = list('measured', name, 'requests');
    add(requests.length > 0, handover(`measured/${name}`, requests, move));
  }
  for (const [name, pages] of [['acquire', 1], ['acquire_two_pages', 2]] as const) {
    const requests = list('requests', 'floating_ip', name);
    // An observation that begins in the middle of a handover tells of the release first.
    const from = requests.findIndex(({ path }) => plainPath(path) === '/floating_ips');
    add(requests.length > 0, acquiring(`requests/floating_ip/${name}`, requests.slice(Math.max(0, from)), false, pages));
  }
  add(list('requests', 'floating_ip', 'graceful_handover').length > 0, handover('requests/floating_ip/graceful_handover', list('requests', 'floating_ip', 'graceful_handover'), graceful));
  add(list('requests', 'floating_ip', 'release').length > 0, releasing(list('requests', 'floating_ip', 'release')));
  add(list('requests', 'alias', 'first_acquire').length > 0, acquiring('requests/alias/first_acquire', list('requests', 'alias', 'first_acquire'), true));
  for (const [name, move] of [['graceful_handover', graceful], ['operator_cancelled', cancelled], ['takeover_after_sigkill', killed]] as const) {
    const requests = list('requests', 'alias', name);
    add(requests.length > 0, handover(`requests/alias/${name}`, requests, move, true));
  }
  situations.push(...building(observed));
  const faults = at(observed, 'measured', 'cloud_faults_during_acquire');
  for (const [name, told] of Object.entries(isTold(faults) ? faults : {})) {
    if (isTold(told)) situations.push(faulty(`measured/cloud_faults_during_acquire/${name}`, told));
  }
  const hangs = at(observed, 'measured', 'cloud_hangs');
  add(at(hangs, 'list_during_acquire') !== undefined, hanging('measured/cloud_hangs/list_during_acquire', (method, path) => method === 'GET' && path === '/floating_ips'));
  add(at(hangs, 'assign_during_acquire') !== undefined, hanging('measured/cloud_hangs/assign_during_acquire', (method) => method === 'POST'));
  add(at(observed, 'measured', 'floating_ip_reassigned_behind') !== undefined, reassigned(list('measured', 'floating_ip_reassigned_behind', 'next_handover')));
  add(at(observed, 'measured', 'token_revoked_while_holding') !== undefined, revoked());
  add(at(observed, 'measured', 'next_in_queue_has_bad_token') !== undefined, badTokenNext());
  add(at(observed, 'measured', 'same_hostname_on_two_nodes') !== undefined, sameName());
  add(at(observed, 'ipv6') !== undefined, ipv6());
  // Whoever needs a second page fills the project for all that come after.
  return situations.toSorted((a, b) => Number(a.id.endsWith('two_pages')) - Number(b.id.endsWith('two_pages')));
}

const releasing = (observed: readonly ObservedRequest[]): Situation => ({
  id: 'requests/floating_ip/release',
  compared: ['requests', 'log'],
  async run(stage) {
    const { first, second, third } = await gathered(stage);
    await Promise.all([second.stop('cancelled'), third.stop('cancelled')]);
    await first.stop('graceful');
    return [...exactly(stage.requests, observed), ...said(stage, 'removing shared IP')];
  },
});

/** What is asked before there is an operator. */
function building(observed: Told): Situation[] {
  const list = (...keys: readonly string[]): ObservedRequest[] => requestsAt(observed, 'requests', ...keys);
  const outcome = async (stage: Stage, options: Parameters<Stage['place']>[1]): Promise<string> => {
    try {
      return `network ${(await stage.place('cp-1', options)).networkId === 0 ? 'none' : 'found'}`;
    } catch (error) {
      return textOf(error);
    }
  };
  const situation = (id: string, wanted: readonly ObservedRequest[], options: Parameters<Stage['place']>[1], end: RegExp): Situation => ({
    id: `requests/${id}`,
    compared: ['requests', 'outcome'],
    async run(stage) {
      stage.requests.length = 0;
      const ended = await outcome(stage, options);
      return [...exactly(stage.requests, wanted), ...(end.test(ended) ? [] : [`it ends with ${ended}`])];
    },
  });
  const found: Situation[] = [];
  const spec = list('alias', 'spec_building');
  if (spec.length > 0) found.push(situation('alias/spec_building', spec, { ip: ALIAS }, /^network found$/));
  const bad = list('spec_building_bad_token').slice(0, 1);
  if (bad.length > 0) found.push(situation('spec_building_bad_token', bad, { token: REFUSED }, /^error getting server info: /));
  const absent = list('spec_building_server_not_in_project_public_vip').slice(0, 1);
  if (absent.length > 0) found.push(situation('spec_building_server_not_in_project_public_vip', absent, { serverId: 999 }, /^network none$/));
  const crash = list('spec_building_server_not_in_project_private_vip', 'requests').slice(0, 1);
  if (crash.length > 0) found.push(situation('spec_building_server_not_in_project_private_vip', crash, { serverId: 999, ip: ALIAS }, /nil pointer dereference/));
  const outside = list('private_vip_outside_every_network');
  if (outside.length > 0) found.push(situation('private_vip_outside_every_network', outside.slice(0, 2), { ip: '10.99.0.1' }, /^network none$/));
  const missing = list('floating_ip_missing_first_of_10_in_10s');
  if (missing.length > 0) {
    found.push({
      id: 'requests/floating_ip_missing_first_of_10_in_10s',
      compared: ['requests', 'log'],
      async run(stage) {
        stage.start('cp-1', { ip: '192.0.2.250' });
        await stage.until('as many requests as were observed', () => stage.requests.length >= missing.length, SOON_MS);
        return [...differ(stage.requests, missing), ...said(stage, 'in network 0: floating IP / alias IP is not found')];
      },
    });
  }
  return found;
}

const reassigned = (observed: readonly ObservedRequest[]): Situation => ({
  id: 'measured/floating_ip_reassigned_behind',
  compared: ['requests', 'address', 'log'],
  async run(stage) {
    const operators = await gathered(stage);
    await stage.cloudCall('POST', `/floating_ips/${stage.floatingIP.id}/actions/assign`, { server: stage.serverId('cp-3') });
    await systemClock.sleep(QUIET_MS);
    const quiet = stage.requests.length === 0 && stage.holders.has('cp-1') && stage.log.length === 0;
    graceful(operators);
    await moved(stage);
    return [
      ...(quiet ? [] : ['it noticed that someone else had moved the address']),
      ...exactly(stage.requests, observed),
      ...said(stage, 'unassigned Hetzner Cloud floating IP'),
    ];
  },
});

const revoked = (): Situation => ({
  id: 'measured/token_revoked_while_holding',
  compared: ['requests', 'address', 'log'],
  async run(stage) {
    const operators = await gathered(stage);
    stage.fault({ on: () => true, answer: { status: 401, body: '{"error":{"code":"unauthorized","message":"x"}}', type: 'application/json' } });
    await systemClock.sleep(QUIET_MS);
    const quiet = stage.requests.length === 0 && stage.holders.has('cp-1');
    graceful(operators);
    await stage.until('the address is let go', () => stage.holders.size === 0, SOON_MS);
    const troubles = [...(quiet ? [] : ['it noticed']), ...differ(stage.requests, [{ method: 'GET', path: '/floating_ips/{id}', status: 401 }]), ...said(stage, 'failed disabling shared IP')];
    await systemClock.sleep(QUIET_MS);
    if (stage.holders.size > 0) troubles.push('one holds without a token');
    stage.fault(undefined);
    await stage.until('one holds once the token works', () => stage.holders.size === 1, SOON_MS);
    return troubles;
  },
});

const badTokenNext = (): Situation => ({
  id: 'measured/next_in_queue_has_bad_token',
  compared: ['takeover', 'log'],
  async run(stage) {
    const first = stage.start('cp-1');
    await stage.until('the first one holds', () => stage.holders.has('cp-1'), SOON_MS);
    stage.start('cp-2', { token: REFUSED });
    await systemClock.sleep(60);
    stage.start('cp-3');
    await systemClock.sleep(60);
    void first.stop('graceful');
    await stage.until('the one after the next holds', () => stage.holders.has('cp-3'), SOON_MS);
    return [...(stage.holders.has('cp-2') ? ['the one without a token holds'] : []), ...said(stage, 'campaign failure')];
  },
});

const sameName = (): Situation => ({
  id: 'measured/same_hostname_on_two_nodes',
  compared: ['address', 'log'],
  async run(stage) {
    stage.start('cp-1', { hostname: 'cp-1' });
    await stage.until('the first one holds', () => stage.holders.has('cp-1'), SOON_MS);
    stage.start('cp-2', { hostname: 'cp-1' });
    await stage.until('the second one holds too', () => stage.holders.has('cp-2'), SOON_MS);
    await systemClock.sleep(QUIET_MS);
    return [...(stage.holders.size === 2 ? [] : [`${stage.holders.size} hold`]), ...said(stage, 'resigning from previous election')];
  },
});

/** An IPv6 floating IP is found by its first address alone. */
const ipv6 = (): Situation => ({
  id: 'ipv6',
  compared: ['requests', 'log'],
  async run(stage) {
    const made = (await stage.cloudCall('POST', '/floating_ips', { type: 'ipv6', home_location: 'fsn1', name: `six-${Math.trunc(systemClock.now())}` })) as {
      floating_ip?: { ip: string };
    };
    const first = made.floating_ip?.ip.split('/')[0] ?? '';
    const one = stage.start('cp-1', { ip: `${first}1` });
    await stage.until('the campaign fails', () => stage.log.some(({ line }) => line.includes('is not found')), SOON_MS);
    await one.stop('cancelled');
    stage.start('cp-2', { ip: first });
    await stage.until('the first address is held', () => stage.holders.has('cp-2'), SOON_MS);
    return [];
  },
});

/** Plays each situation on the stage, one after the other. */
export async function playAll(stage: Stage, observed: Told, tell: (judged: Judged) => void): Promise<Judged[]> {
  const results: Judged[] = [];
  for (const { id, compared, run } of situationsOf(observed)) {
    let troubles: readonly string[];
    try {
      await stage.clear();
      troubles = await run(stage);
    } catch (error) {
      troubles = [textOf(error)];
    }
    const judged = { id, compared, troubles };
    results.push(judged);
    tell(judged);
  }
  await stage.clear();
  return results;
}
