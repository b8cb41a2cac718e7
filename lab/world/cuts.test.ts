import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { seededRandom } from '../../src/base/random.ts';
import { startLoopback } from '../fabric/loopback.ts';
import { createAudit, type NewRecord } from './audit.ts';
import { createCuts } from './cuts.ts';
import { startTimeOf } from './processes.ts';

const write: NewRecord = {
  system: 'hetzner',
  method: 'POST',
  path: '/v1/floating_ips',
  write: true,
  status: 201,
  ms: 1,
  by: 'fairlead',
};

async function scene() {
  const fabric = await startLoopback({ random: seededRandom(7) });
  const audit = createAudit(undefined, () => new Date());
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
  return {
    audit,
    exited,
    fabric,
    victim: { pid, startTime: (await startTimeOf(pid)) ?? '' },
    cuts: (realApiServer: boolean) => createCuts({ clock: systemClock, audit, fabric, realApiServer }),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
      await fabric.close();
    },
  };
}

test('the process is killed while its k-th side effect is recorded, and reads, others and beats do not count', async () => {
  await using s = await scene();
  const cuts = s.cuts(false);
  const { id } = await cuts.arm({ ...s.victim, after: 2, except: ['/configmaps/beat'] });
  s.audit.record(write);
  s.audit.record({ ...write, write: false });
  s.audit.record({ ...write, by: 'node/cp-1' });
  s.audit.record({ ...write, path: '/api/v1/namespaces/default/configmaps/beat' });
  expect(cuts.report(id)).toMatchObject({ sideEffects: 1, killed: undefined });
  s.audit.record({ ...write, path: '/v1/second' });
  expect(cuts.report(id)).toMatchObject({ sideEffects: 2, killed: { effect: { path: '/v1/second' } } });
  expect((await s.exited)[1]).toBe('SIGKILL');
});

test('killed after the reply it lives on for a moment, at most until its next side effect', async () => {
  await using s = await scene();
  const cuts = s.cuts(false);
  const { id } = await cuts.arm({ ...s.victim, after: 1, moment: 'after-reply' });
  s.audit.record(write);
  expect(cuts.report(id).killed).toBeUndefined();
  expect((await s.exited)[1]).toBe('SIGKILL');
  expect(cuts.disarm(id)).toMatchObject({ sideEffects: 1, killed: { effect: { path: write.path } } });
});

test('a process that started at another time is somebody else', async () => {
  await using s = await scene();
  const cuts = s.cuts(false);
  const { id } = await cuts.arm({ ...s.victim, startTime: '1', after: 1 });
  s.audit.record(write);
  expect(cuts.report(id)).toMatchObject({ sideEffects: 1, killed: undefined });
  expect(await startTimeOf(s.victim.pid)).toBe(s.victim.startTime);
  await expect(cuts.arm({ pid: -1, startTime: '', after: 1 })).rejects.toThrow('cannot be killed');
});

test('an answer of a real API server passes only when its audit log was read after it came', async () => {
  await using s = await scene();
  const cuts = s.cuts(true);
  const looked = Promise.withResolvers<void>();
  s.audit.source(() => looked.promise);
  const { id } = await cuts.arm({ ...s.victim, after: 1 });
  const host = s.fabric.addHost('cp-1');
  const address = s.fabric.allocate('public');
  const server = createServer((socket) => socket.on('error', () => {}).end('done')).listen(6443, host.hidden);
  await once(server, 'listening');
  await host.claim(address);
  await host.open(6443);
  await s.fabric.route(address, host);
  const heard: string[] = [];
  const client = connect(6443, address).setEncoding('utf8');
  const ended = once(client, 'end');
  client.on('error', () => {});
  client.on('data', (text: string) => heard.push(text));
  await once(client, 'connect');
  await systemClock.sleep(100);
  expect(heard).toEqual([]);
  looked.resolve();
  await ended;
  expect(heard).toEqual(['done']);
  cuts.disarm(id);
  client.destroy();
  server.close();
  await s.fabric.route(address, undefined);
});
