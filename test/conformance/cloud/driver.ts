import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** A Hetzner API to try: the lab's on one of its fabrics, or the real one. */
export interface Driver {
  /** Ends in /v1. */
  readonly baseUrl: string;
  readonly token: string;
  /** A token that may only read, where there is one. */
  readonly readOnlyToken: string | undefined;
  /** Where the zones of the project are served; undefined: by the name servers that each zone names. */
  readonly dns?: { readonly address: string; readonly port: number };
  /** The label of a server that serves TLS on port 6443; undefined: one that serves HTTP there is made. */
  readonly servingLabel?: string;
  /** False where nothing can listen on ports below 1024. */
  readonly lowPorts: boolean;
  /** Between two looks at an action, in milliseconds. */
  readonly pollMs: number;
}

export type Json = Readonly<Record<string, unknown>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Undefined where the answer is empty. */
  readonly body: Json | undefined;
}

/**
 * One thing that is true of Hetzner's API. Told once, run wherever a driver leads. Nothing of a test runner is used, so
 * that it can run inside the lab's namespaces too (scenario.test-program.ts).
 */
export interface Scenario {
  readonly name: string;
  /** `read` costs nothing and changes nothing; `write` makes, changes and deletes things of its own. */
  readonly kind: 'read' | 'write';
  run(api: Api): Promise<void>;
}

/** Plain HTTP with a token, and what a scenario made, to be undone last first. */
export interface Api {
  readonly driver: Driver;
  /** Undefined sends no body, a text goes out as it is; the token is the driver's unless told (empty: none). */
  call(method: string, path: string, body?: unknown, token?: string): Promise<Answer>;
  /** As `call`, with the status that has to come; gives the body (empty where there is none). */
  expect(status: number, method: string, path: string, body?: unknown): Promise<Json>;
  /** Calls, expects 200 or 201 and waits for all actions in the answer, which have to succeed. */
  act(method: string, path: string, body?: unknown): Promise<Json>;
  /** Waits until an action has ended; gives it. */
  ended(id: number): Promise<Json>;
  undo(work: () => Promise<unknown>): void;
}

export const object = (value: unknown): Json => {
  assert.ok(
    typeof value === 'object' && value !== null && !Array.isArray(value),
    `no object: ${JSON.stringify(value)}`,
  );
  return value as Json;
};
export const objects = (value: unknown): readonly Json[] => {
  assert.ok(Array.isArray(value), `no list: ${JSON.stringify(value)}`);
  return value.map(object);
};
export const idOf = (value: unknown): number => {
  const { id } = object(value);
  assert.ok(typeof id === 'number' && Number.isSafeInteger(id), `no id: ${JSON.stringify(value)}`);
  return id;
};

const ACTION_PATIENCE_MS = 120_000;

/** Runs one scenario, and undoes what it made however it ends. */
export async function runScenario(scenario: Scenario, driver: Driver): Promise<void> {
  const made: (() => Promise<unknown>)[] = [];
  const left: unknown[] = [];
  const api = createApi(driver, (work) => made.push(work));
  try {
    await scenario.run(api);
  } finally {
    for (const work of made.toReversed()) await work().catch((error: unknown) => left.push(error));
  }
  // Only where the scenario itself held: its own error tells more.
  assert.deepEqual(left, [], 'what the scenario made could not be removed');
}

function createApi(driver: Driver, undo: Api['undo']): Api {
  const call: Api['call'] = async (method, path, body, token = driver.token) => {
    const response = await fetch(driver.baseUrl + path, {
      method,
      headers: {
        'user-agent': 'fairlead-conformance/1',
        ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : object(JSON.parse(text)),
    };
  };
  const ended: Api['ended'] = async (id) => {
    const until = performance.now() + ACTION_PATIENCE_MS;
    for (;;) {
      const { body } = await call('GET', `/actions?id=${id}&page=1&sort=status&sort=id`);
      const [action] = objects(body?.['actions']);
      assert.equal(action?.['id'], id);
      if (action?.['status'] !== 'running') return object(action);
      assert.ok(performance.now() < until, `action ${id} did not end: ${JSON.stringify(action)}`);
      await sleep(driver.pollMs);
    }
  };
  const expect: Api['expect'] = async (status, method, path, body) => {
    const answer = await call(method, path, body);
    assert.equal(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body ?? {};
  };
  return {
    driver,
    call,
    ended,
    expect,
    async act(method, path, body) {
      const answer = await call(method, path, body);
      const said = `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`;
      assert.ok(answer.status === 200 || answer.status === 201, said);
      const { action, next_actions: next = [] } = answer.body ?? {};
      for (const started of [...(action == null ? [] : [object(action)]), ...objects(next)]) {
        const end = await ended(idOf(started));
        assert.equal(end['status'], 'success', JSON.stringify(end));
      }
      return answer.body ?? {};
    },
    undo,
  };
}

/** An answer is a refusal: its status, its code, and the three fields that clients of every age look for. */
export function refused(answer: Answer, status: number, code: string): Json {
  const said = JSON.stringify(answer.body);
  assert.equal(answer.status, status, said);
  const error = object(answer.body?.['error']);
  assert.equal(error['code'], code, said);
  assert.ok(typeof error['message'] === 'string' && error['message'] !== '', said);
  return error;
}
