import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { Failure, textOf } from '../../src/base/failure.ts';
import { CATALOGUE } from '../faults/catalogue.ts';
import { incidentOf } from './incidents/catalogue.ts';
import { runIncident } from './incidents/run.ts';
import { listKnobs } from '../knobs/knobs.ts';
import type { World } from './world.ts';

export interface Control {
  readonly url: string;
  close(): Promise<void>;
}

/** Where it listens: an address of the lab's, or, where no address of the lab is reachable from outside, a Unix socket. */
export type ControlPlace = { readonly address: string; readonly port: number } | { readonly socket: string };

/** How commands talk to the running lab: HTTP, with a token that stands in its state folder. */
export async function startControl(
  world: World,
  options: { at: ControlPlace; token: string; onDown: () => void },
): Promise<Control> {
  const app = new Hono();
  app.use(async (c, next) => {
    if (c.req.header('authorization') !== `Bearer ${options.token}`) return c.json({ error: 'unauthorized' }, 401);
    return next();
  });
  app.onError((error, c) => {
    const failure =
      error instanceof Failure
        ? error
        : new Failure({
            code: 'lab-bug',
            what: 'The lab failed',
            why: textOf(error),
            state: 'The lab still runs.',
            next: 'See lab.log in its state folder.',
          });
    if (!(error instanceof Failure)) console.error(error);
    return c.json({ failure: failure.toJSON() }, 500);
  });

  app.get('/info', (c) => c.json(world.info()));
  app.get('/requests', async (c) => {
    const requests = await world.audit.history(c.req.query('since'));
    return c.json({ mark: world.audit.mark, requests });
  });
  app.post('/nodes/:name/:verb', async (c) => {
    const { name, verb } = c.req.param();
    const result = await world.operate(name, verb);
    return c.json(result);
  });
  app.post('/snapshot', async (c) => {
    const { file } = await c.req.json<{ file: string }>();
    return c.json(await world.snapshot(file));
  });
  app.post('/incidents/:name', async (c) =>
    c.json(await runIncident(incidentOf(c.req.param('name')), world.incidents)),
  );
  app.get('/check', async (c) => c.json({ violations: await world.check() }));
  app.get('/places/:name', (c) => {
    const file = world.placeFile(c.req.param('name'));
    return c.json({ pid: process.pid, ...(file === undefined ? {} : { file }) });
  });
  app.get('/knobs', (c) => c.json({ knobs: listKnobs(world.knobs) }));
  app.get('/faults', (c) => c.json({ catalogue: CATALOGUE, faults: world.faults.registry.show() }));
  app.post('/faults/:kind', async (c) =>
    c.json(await world.faults.set(c.req.param('kind'), await c.req.json<Record<string, unknown>>())),
  );
  app.delete('/faults', async (c) => c.json({ cleared: await world.faults.registry.clear() }));
  app.delete('/faults/:id', async (c) => c.json({ cleared: await world.faults.registry.clear(c.req.param('id')) }));
  app.post('/kills', async (c) => c.json(await world.cuts.arm(await c.req.json<unknown>())));
  app.get('/kills/:id', (c) => c.json(world.cuts.report(c.req.param('id'))));
  app.delete('/kills/:id', (c) => c.json(world.cuts.disarm(c.req.param('id'))));
  app.post('/down', (c) => {
    options.onDown();
    return c.json({ ok: true });
  });

  const { at } = options;
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('listening', () => resolve());
    server.once('error', reject);
    if ('socket' in at) server.listen(at.socket);
    else server.listen(at.port, at.address);
  });
  return {
    url: 'socket' in at ? 'http://localhost' : `http://${at.address}:${at.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}
