import { systemClock, type Clock } from '../../src/base/clock.ts';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { type Audit, createAudit } from '../world/audit.ts';
import { startCloud } from './cloud.ts';
import type { Cloud, CloudEffects, CloudOptions } from './types.ts';

export const READ_WRITE = 'read-write-token-of-a-test';
export const READ_ONLY = 'read-only-token-of-a-test';

/** A cloud for tests, with a record of what its actions did to the world. */
export interface TestCloud {
  readonly cloud: Cloud;
  readonly audit: Audit;
  /** `routed 127.… -> cp-1`, `serverDeleted cp-1`, in order. */
  readonly effects: string[];
  readonly call: (method: string, path: string, body?: unknown, token?: string) => Promise<Answer>;
  /** Calls and waits for the action in the answer; gives it as it ended. */
  readonly act: (method: string, path: string, body?: unknown) => Promise<ActionAnswer>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON; undefined when the answer has no body. Tests look inside with matchers. */
  readonly body: Readonly<Record<string, unknown>> | undefined;
}

export interface ActionAnswer {
  readonly id: number;
  readonly command: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export async function testCloud(
  options: Partial<
    Pick<CloudOptions, 'era' | 'knobs' | 'speed' | 'address' | 'port' | 'network' | 'faults' | 'project'>
  > & {
    readonly clock?: Clock;
    readonly random?: Random;
    readonly effects?: Partial<CloudEffects>;
    /** One that keeps everything in memory unless given. */
    readonly audit?: Audit;
  } = {},
): Promise<TestCloud> {
  const clock = options.clock ?? systemClock;
  const audit = options.audit ?? createAudit(undefined, () => clock.wall());
  const effects: string[] = [];
  let given = 0;
  const noted =
    (what: string) =>
    async (server: { readonly name: string }): Promise<void> => {
      effects.push(`${what} ${server.name}`);
    };
  const cloud = await startCloud({
    address: options.address ?? '127.0.0.1',
    port: options.port ?? 0,
    clock,
    random: options.random ?? seededRandom(7),
    speed: options.speed ?? 30,
    era: options.era ?? 'from-2026-10',
    tokens: { readWrite: [READ_WRITE], readOnly: [READ_ONLY] },
    audit,
    network: options.network ?? { name: 'test-network', ipRange: '127.80.128.0/18' },
    ...(options.knobs && { knobs: options.knobs }),
    ...(options.faults && { faults: options.faults }),
    ...(options.project && { project: options.project }),
    effects: {
      allocate: (purpose) => `127.80.${{ public: 1, private: 128, floating: 64 }[purpose]}.${(given += 1)}`,
      serverCreated: noted('serverCreated'),
      serverDeleted: noted('serverDeleted'),
      powerOn: noted('powerOn'),
      powerOff: noted('powerOff'),
      shutdown: noted('shutdown'),
      reboot: noted('reboot'),
      reset: noted('reset'),
      rebuilt: noted('rebuilt'),
      bootRescue: noted('bootRescue'),
      routed: async (fip, server) => {
        effects.push(`routed ${fip.name} -> ${server?.name ?? 'nowhere'}`);
      },
      ...options.effects,
    },
  });

  const call: TestCloud['call'] = async (method, path, body, token = READ_WRITE) => {
    const response = await fetch(cloud.url + path, {
      method,
      headers: {
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        'user-agent': 'fairlead-test/1',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  };
  const act: TestCloud['act'] = async (method, path, body) => {
    const answer = await call(method, path, body);
    if (answer.status > 299) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    let action = answer.body?.['action'] as ActionAnswer;
    while (action.status === 'running') {
      await clock.sleep(10);
      action = (await call('GET', `/actions/${action.id}`)).body?.['action'] as ActionAnswer;
    }
    return action;
  };
  return { cloud, audit, effects, call, act };
}
