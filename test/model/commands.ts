import fc from 'fast-check';
import { expect } from 'vitest';
import type { Answer, TestCloud } from '../../lab/cloud/testing.ts';
import type { ManualClock } from './manual-clock.ts';
import { DELAYS, ProjectModel, QUOTAS } from './project-model.ts';

/** The simulator, and where its data plane leads. */
export interface Real {
  readonly cloud: TestCloud;
  readonly clock: ManualClock;
  /** By the id of the floating IP. */
  readonly routes: ReadonlyMap<number, number | null>;
}

type Command = fc.AsyncCommand<ProjectModel, Real>;
interface Outcome {
  readonly status: number;
  readonly code?: string;
}

const refuse = (status: number, code: string): Outcome => ({ status, code });
const objectIn = (answer: Answer, key: string): { readonly id: number } =>
  answer.body?.[key] as { readonly id: number };

/** One request, judged by the model: what it must answer, and the budget it is taken from. Undefined when that was empty. */
async function request(
  model: ProjectModel,
  real: Real,
  method: string,
  path: string,
  body: unknown,
  expected: Outcome,
): Promise<Answer | undefined> {
  const mayPass = model.take();
  const answer = await real.cloud.call(method, path, body);
  const wanted = mayPass ? expected : refuse(429, 'rate_limit_exceeded');
  const error = answer.body?.['error'] as { code: string } | undefined;
  expect({ method, path, status: answer.status, code: error?.code }).toEqual({
    method,
    path,
    code: undefined,
    ...wanted,
  });
  expect(Number(answer.headers.get('ratelimit-remaining')), 'RateLimit-Remaining').toBe(model.remaining);
  return mayPass && answer.status < 300 ? answer : undefined;
}

/** Ids are given once and grow. */
function give(model: ProjectModel, id: number): void {
  expect(id, 'ids never come back').toBeGreaterThan(model.given.at(-1) ?? 0);
  model.given.push(id);
}

/** One of the things that ever were, or an id that never was. */
function chosen(model: ProjectModel, kind: 'server' | 'address', index: number): number {
  const ever = kind === 'server' ? model.everServers : model.everAddresses;
  return ever[index % (ever.length + 1)] ?? 1;
}

/** Holds whatever happens. */
function invariants(model: ProjectModel, { cloud, routes }: Real): void {
  const servers = new Map(cloud.cloud.servers().map((server) => [server.id, server]));
  const addresses = new Map(cloud.cloud.floatingIPs().map((fip) => [fip.id, fip]));
  expect([...servers].map(([id, { name, status }]) => ({ id, name, status }))).toEqual(
    [...model.servers].map(([id, { name, status }]) => ({ id, name, status })),
  );
  expect([...addresses].map(([id, { name, server }]) => ({ id, name, server }))).toEqual(
    [...model.addresses].map(([id, { name, server }]) => ({ id, name, server })),
  );
  for (const [id, fip] of addresses) {
    if (fip.server !== null) expect(servers.has(fip.server), 'a holder exists').toBe(true);
    expect(routes.get(id) ?? null, 'the address leads to its holder').toBe(fip.server);
  }
  expect(servers.size).toBeLessThanOrEqual(QUOTAS.servers);
  expect(addresses.size).toBeLessThanOrEqual(QUOTAS.floatingIPs);
  for (const id of servers.keys()) expect(model.held(id).length).toBeLessThanOrEqual(QUOTAS.floatingIPsPerServer);
}

function command(text: string, run: (model: ProjectModel, real: Real) => Promise<void>): Command {
  return {
    check: () => true,
    toString: () => text,
    async run(model, real) {
      await run(model, real);
      invariants(model, real);
    },
  };
}

const createAddress = (name: number, on: number | undefined): Command =>
  command(`createAddress(ip-${name}, on ${on ?? 'none'})`, async (model, real) => {
    const server = on === undefined ? undefined : chosen(model, 'server', on);
    const expected = (): Outcome => {
      if (server !== undefined && !model.servers.has(server)) return refuse(404, 'not_found');
      if ([...model.addresses.values()].some((address) => address.name === `ip-${name}`))
        return refuse(409, 'uniqueness_error');
      if (model.addresses.size >= QUOTAS.floatingIPs) return refuse(403, 'resource_limit_exceeded');
      if (server !== undefined && model.held(server).length >= QUOTAS.floatingIPsPerServer)
        return refuse(403, 'resource_limit_exceeded');
      return server !== undefined && model.locks.has(`server/${server}`) ? refuse(423, 'locked') : { status: 201 };
    };
    const where = server === undefined ? { home_location: 'fsn1' } : { server };
    const answer = await request(
      model,
      real,
      'POST',
      '/floating_ips',
      { type: 'ipv4', name: `ip-${name}`, ...where },
      expected(),
    );
    if (answer === undefined) return;
    const { id } = objectIn(answer, 'floating_ip');
    give(model, id);
    model.addresses.set(id, { name: `ip-${name}`, server: null, protected: false });
    model.everAddresses.push(id);
    if (server !== undefined) assigned(model, answer, id, server);
  });

function assigned(model: ProjectModel, answer: Answer, address: number, server: number): void {
  const action = objectIn(answer, 'action').id;
  give(model, action);
  model.start(action, DELAYS.assign, [`address/${address}`, `server/${server}`], () => {
    const moved = model.addresses.get(address);
    if (moved !== undefined) moved.server = server;
  });
}

const assign = (which: number, to: number): Command =>
  command(`assign(${which}, ${to})`, async (model, real) => {
    const [id, server] = [chosen(model, 'address', which), chosen(model, 'server', to)];
    const others = model.held(server).filter((held) => held !== id).length;
    const expected = (): Outcome => {
      if (!model.addresses.has(id) || !model.servers.has(server)) return refuse(404, 'not_found');
      if (others >= QUOTAS.floatingIPsPerServer) return refuse(403, 'resource_limit_exceeded');
      return model.locks.has(`address/${id}`) || model.locks.has(`server/${server}`)
        ? refuse(423, 'locked')
        : { status: 201 };
    };
    const answer = await request(model, real, 'POST', `/floating_ips/${id}/actions/assign`, { server }, expected());
    if (answer !== undefined) assigned(model, answer, id, server);
  });

/** Actions on one thing that only its own lock can hold up. */
function simple(
  model: ProjectModel,
  real: Real,
  thing: { readonly kind: 'server' | 'address'; readonly id: number },
  [name, body]: readonly [string, unknown],
  delay: number,
  effect: () => void,
  before?: Outcome,
): Promise<Answer | undefined> {
  const [collection, known] = thing.kind === 'server' ? ['servers', model.servers] : ['floating_ips', model.addresses];
  const lock = `${thing.kind}/${thing.id}`;
  const expected = (): Outcome => {
    if (!known.has(thing.id)) return refuse(404, 'not_found');
    return model.locks.has(lock) ? refuse(423, 'locked') : (before ?? { status: 201 });
  };
  return request(model, real, 'POST', `/${collection}/${thing.id}/actions/${name}`, body, expected()).then((answer) => {
    if (answer === undefined) return undefined;
    const action = objectIn(answer, 'action').id;
    give(model, action);
    model.start(action, delay, [lock], effect);
    return answer;
  });
}

const unassign = (which: number): Command =>
  command(`unassign(${which})`, async (model, real) => {
    const id = chosen(model, 'address', which);
    const address = model.addresses.get(id);
    const nowhere = address?.server === null ? refuse(422, 'service_error') : undefined;
    const freed = (): void => {
      if (address !== undefined) address.server = null;
    };
    await simple(model, real, { kind: 'address', id }, ['unassign', {}], DELAYS.unassign, freed, nowhere);
  });

const protect = (kind: 'server' | 'address', which: number, on: boolean): Command =>
  command(`protect(${kind} ${which}, ${on})`, async (model, real) => {
    const id = chosen(model, kind, which);
    const thing = kind === 'server' ? model.servers.get(id) : model.addresses.get(id);
    const body = kind === 'server' ? { delete: on, rebuild: on } : { delete: on };
    await simple(model, real, { kind, id }, ['change_protection', body], DELAYS.setting, () => {
      if (thing !== undefined) thing.protected = on;
    });
  });

const power = (which: number, on: boolean): Command =>
  command(`power(${which}, ${on ? 'on' : 'off'})`, async (model, real) => {
    const id = chosen(model, 'server', which);
    const server = model.servers.get(id);
    const acts = server?.status === (on ? 'off' : 'running');
    const answer = await simple(
      model,
      real,
      { kind: 'server', id },
      [on ? 'poweron' : 'poweroff', undefined],
      DELAYS.power,
      () => {
        if (acts && server !== undefined) server.status = on ? 'running' : 'off';
      },
    );
    if (answer !== undefined && acts && server !== undefined) server.status = on ? 'starting' : 'stopping';
  });

const deleteAddress = (which: number): Command =>
  command(`deleteAddress(${which})`, async (model, real) => {
    const id = chosen(model, 'address', which);
    const address = model.addresses.get(id);
    const expected = (): Outcome => {
      if (address === undefined) return refuse(404, 'not_found');
      if (address.protected) return refuse(423, 'protected');
      if (model.locks.has(`address/${id}`)) return refuse(423, 'locked');
      return address.server === null ? { status: 204 } : refuse(422, 'must_be_unassigned');
    };
    if ((await request(model, real, 'DELETE', `/floating_ips/${id}`, undefined, expected())) !== undefined)
      model.addresses.delete(id);
  });

const createServer = (name: number): Command =>
  command(`createServer(server-${name})`, async (model, real) => {
    const taken = [...model.servers.values()].some((server) => server.name === `server-${name}`);
    const full = model.servers.size >= QUOTAS.servers ? refuse(403, 'resource_limit_exceeded') : { status: 201 };
    const body = { name: `server-${name}`, server_type: 'cx23', image: 'debian-12' };
    const answer = await request(model, real, 'POST', '/servers', body, taken ? refuse(409, 'uniqueness_error') : full);
    if (answer === undefined) return;
    const { id } = objectIn(answer, 'server');
    give(model, id);
    const server = { name: `server-${name}`, protected: false, status: 'initializing' as const };
    model.servers.set(id, server);
    model.everServers.push(id);
    const [create, [next]] = [objectIn(answer, 'action').id, answer.body?.['next_actions'] as { id: number }[]];
    give(model, create);
    give(model, next?.id ?? 0);
    model.actions.set(next?.id ?? 0, 'running');
    const own = model.servers.get(id);
    model.start(create, DELAYS.createServer, [`server/${id}`], () => {
      if (own !== undefined) own.status = 'starting';
      model.start(next?.id ?? 0, DELAYS.startServer, [`server/${id}`], () => {
        if (own !== undefined) own.status = 'running';
      });
    });
  });

const deleteServer = (which: number): Command =>
  command(`deleteServer(${which})`, async (model, real) => {
    const id = chosen(model, 'server', which);
    const server = model.servers.get(id);
    const expected = (): Outcome => {
      if (server === undefined) return refuse(404, 'not_found');
      if (server.protected) return refuse(423, 'protected');
      return model.locks.has(`server/${id}`) ? refuse(423, 'locked') : { status: 200 };
    };
    const answer = await request(model, real, 'DELETE', `/servers/${id}`, undefined, expected());
    if (answer === undefined || server === undefined) return;
    const action = objectIn(answer, 'action').id;
    give(model, action);
    server.status = 'deleting';
    model.start(action, DELAYS.deleteServer, [`server/${id}`], () => {
      for (const address of model.addresses.values()) if (address.server === id) address.server = null;
      model.servers.delete(id);
    });
  });

const wait = (ms: number): Command =>
  command(`wait(${ms})`, async (model, real) => {
    model.advance(ms);
    await real.clock.advance(ms);
  });

/** Every action ends when its time has come, and not before. */
const poll = (which: number): Command =>
  command(`poll(${which})`, async (model, real) => {
    const ids = [...model.actions.keys()];
    const id = ids[which % Math.max(1, ids.length)] ?? 1;
    const status = model.actions.get(id);
    const answer = await request(
      model,
      real,
      'GET',
      `/actions/${id}`,
      undefined,
      status === undefined ? refuse(404, 'not_found') : { status: 200 },
    );
    if (answer !== undefined) expect(answer.body?.['action']).toMatchObject({ id, status, error: null });
  });

/** Servers and addresses tell the same story. */
const look = (): Command =>
  command('look()', async (model, real) => {
    const answer = await request(model, real, 'GET', '/servers?per_page=50', undefined, { status: 200 });
    if (answer?.body === undefined) return;
    const seen = (
      answer.body['servers'] as { id: number; locked: boolean; public_net: { floating_ips: number[] } }[]
    ).map(({ id, locked, public_net }) => ({ id, locked, held: public_net.floating_ips }));
    expect(seen).toEqual(
      [...model.servers.keys()].map((id) => ({ id, locked: model.locks.has(`server/${id}`), held: model.held(id) })),
    );
    const holders = seen.flatMap(({ held }) => held);
    expect(new Set(holders).size, 'an address has one holder').toBe(holders.length);
  });

/** Many requests at once, as many as there are in the budget and some more. */
const burst = (count: number): Command =>
  command(`burst(${count})`, async (model, real) => {
    const passing = Array.from({ length: count }, () => model.take()).filter(Boolean).length;
    const answers = await Promise.all(
      Array.from({ length: count }, () => real.cloud.call('GET', '/locations?name=fsn1')),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(passing);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(count - passing);
  });

const small = fc.nat({ max: 7 });

export const COMMANDS: fc.Arbitrary<Command>[] = [
  fc.tuple(small, fc.option(small, { nil: undefined })).map(([name, on]) => createAddress(name, on)),
  fc.tuple(small, small).map(([which, to]) => assign(which, to)),
  fc.tuple(small, small).map(([which, to]) => assign(which, to)),
  small.map(unassign),
  fc
    .tuple(fc.constantFrom('server' as const, 'address' as const), small, fc.boolean())
    .map(([kind, which, on]) => protect(kind, which, on)),
  fc.tuple(small, fc.boolean()).map(([which, on]) => power(which, on)),
  small.map(deleteAddress),
  small.map(createServer),
  small.map(deleteServer),
  fc.constantFrom(1, 299, 300, 1_200, 2_000, 5_000, 30_000).map(wait),
  fc.constantFrom(300, 2_000, 30_000).map(wait),
  fc.nat({ max: 60 }).map(poll),
  fc.constant(look()),
  fc.integer({ min: 1, max: 60 }).map(burst),
];
