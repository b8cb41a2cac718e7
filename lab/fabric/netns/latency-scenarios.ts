import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { greeted, machine, until } from '../scenarios.ts';
import type { Disturbance, FirewallRule } from '../types.ts';
import { dialFrom, pingFrom } from './dialling.ts';
import type { NetnsScenario } from './scenarios.ts';

/** What holding packets back does, seen by pings: they know nothing of TCP's own repetitions. */
export const latencyScenarios: readonly NetnsScenario[] = [
  {
    name: 'holds back what two parties send each other, in both families, and nobody else; cleared, it is over at once',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const six = '2001:db8:7:1::1';
      await one.host.claim(six);
      await net.route('2001:db8:7:1::/64', one.host);
      const between = (from: string, to: string, ms: number, oneWay = false): Disturbance => ({
        kind: 'latency',
        from,
        to,
        ms,
        oneWay,
      });
      const router = net.fileOf('router') ?? '';
      const show = (): string[] =>
        [['link'], ['rule'], ['-6', 'rule'], ['route', 'show', 'table', 'all']].map((what) =>
          execFileSync('nsenter', [`--net=${router}`, 'ip', '-o', ...what], { encoding: 'utf8' }),
        );
      const seen = (): Promise<(number | 'silence')[]> =>
        Promise.all([
          pingFrom(net, 'client', one.address, 2),
          pingFrom(net, 'client', six, 2),
          pingFrom(net, 'cp-2', one.address, 2),
          pingFrom(net, 'client', two.address, 2),
        ]);
      /** In steps of 300 ms: what a busy computer itself takes is less than one. */
      const steps = async (): Promise<number[]> => (await seen()).map((ms) => Math.floor(Number(ms) / 300));
      const before = show();
      assert.deepEqual(await steps(), [0, 0, 0, 0]);
      await net.disturb([between('client', 'cp-1', 300)]);
      assert.deepEqual(await steps(), [2, 2, 0, 0]);
      assert.equal(await dialFrom(net, 'client', one.address), 'cp-1');
      await net.disturb([
        between('client', 'cp-1', 300, true),
        between('cp-1', 'cp-2', 150),
        between('client', 'cp-1', 300),
      ]);
      assert.deepEqual(await steps(), [3, 3, 1, 0]);
      // Other rules go on in force for what makes the detour.
      await net.disturb([
        between('client', 'cp-1', 50),
        { kind: 'partition', from: 'client', to: 'cp-1', oneWay: true },
      ]);
      assert.deepEqual((await seen()).slice(0, 2), ['silence', 'silence']);
      const rule: FirewallRule = {
        direction: 'in',
        protocol: 'tcp',
        port: '6443',
        sourceIPs: ['0.0.0.0/0'],
        destinationIPs: [],
      };
      await net.firewall(one.host, [rule]);
      await net.disturb([between('client', 'cp-1', 50)]);
      assert.equal(await dialFrom(net, 'client', one.address), 'cp-1');
      assert.equal(await pingFrom(net, 'client', one.address, 2), 'silence');
      await net.firewall(one.host, undefined);
      await net.disturb([]);
      assert.deepEqual(await steps(), [0, 0, 0, 0]);
      assert.deepEqual(show(), before);
    },
  },
  {
    name: 'keeps what is sent whole and in order while it is held back, and lets it go when that ends',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const open = await greeted(world, one.address);
      await net.disturb([{ kind: 'latency', from: 'cloud', to: 'cp-1', oneWay: false, ms: 150 }]);
      const long = 'fairlead'.repeat(50_000);
      const began = performance.now();
      open.socket.write(long);
      await until(() => open.heard.join('').length >= long.length + 5, 8000);
      assert.equal(open.heard.join(''), `cp-1\n${long}`);
      assert.ok(performance.now() - began > 300);
      const late = performance.now();
      open.socket.write('more');
      await net.disturb([]);
      await until(() => open.heard.join('').endsWith('more'));
      assert.ok(open.heard.join('').endsWith('more'));
      assert.ok(performance.now() - late < 1000);
    },
  },
];
