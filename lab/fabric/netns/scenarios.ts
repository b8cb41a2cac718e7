import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { greeted, machine, PORT, type ScenarioWorld, type TestMachine, until } from '../scenarios.ts';
import type { FirewallRule } from '../types.ts';
import { CLIENT_ADDRESS } from './addresses.ts';
import { DIAL, dialFrom } from './dialling.ts';
import type { NetnsFabric } from './netns.ts';

const execute = promisify(execFile);

export type NetnsWorld = ScenarioWorld & { readonly net: NetnsFabric };
export interface NetnsScenario {
  readonly name: string;
  run(world: NetnsWorld): Promise<void>;
}

/** Also with a private address. */
async function withPrivate({ net }: NetnsWorld, of: TestMachine): Promise<string> {
  const address = net.allocate('private');
  await of.host.claim(address);
  await net.route(address, of.host);
  return address;
}

/** What is true of namespaces alone. */
export const netnsScenarios: readonly NetnsScenario[] = [
  {
    name: 'shows a process who called: the client, and another machine by the address of the link it came over',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const privateOne = await withPrivate(world, one);
      const privateTwo = await withPrivate(world, two);
      assert.equal(await dialFrom(net, 'client', one.address), 'cp-1');
      assert.equal(await dialFrom(net, 'cp-2', one.address), 'cp-1');
      assert.equal(await dialFrom(net, 'cp-2', privateOne), 'cp-1');
      assert.deepEqual(one.callers, [CLIENT_ADDRESS, two.address, privateTwo]);
    },
  },
  {
    name: 'leads a client to a machine by its private address only from the private network’s side of the router',
    async run(world) {
      const one = await machine(world, 'cp-1');
      const address = await withPrivate(world, one);
      assert.equal(await dialFrom(world.net, 'client', address), 'silence');
    },
  },
  {
    name: 'lets a machine reach itself: at localhost, and at a claimed address that the cloud leads to another',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const floating = net.allocate('floating');
      await one.host.claim(floating);
      await two.host.claim(floating);
      await net.route(floating, two.host);
      assert.equal(await dialFrom(net, 'cp-1', '127.0.0.1'), 'cp-1');
      assert.equal(await dialFrom(net, 'cp-1', floating), 'cp-1');
      assert.equal(await dialFrom(net, 'client', floating), 'cp-2');
    },
  },
  {
    name: 'cuts what a machine sends too, when its processes send from its hidden address and its cord is pulled',
    async run(world) {
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const call = (): ReturnType<typeof connect> => {
        const socket = connect({ host: one.address, port: PORT, localAddress: two.host.hidden });
        socket.on('error', () => {});
        world.cleanups.push(() => socket.destroy());
        return socket;
      };
      await once(call(), 'data');
      assert.deepEqual(one.callers, [two.address]);
      await two.host.setCondition('off');
      const late = call();
      let connected = false;
      late.on('connect', () => (connected = true));
      await sleep(300);
      assert.equal(connected, false);
      assert.equal(await dialFrom(world.net, 'client', one.address), 'cp-1');
    },
  },
  {
    name: 'leads a machine to itself also when its processes send from its hidden address',
    async run(world) {
      const one = await machine(world, 'cp-1');
      const socket = connect({ host: one.address, port: PORT, localAddress: one.host.hidden });
      world.cleanups.push(() => socket.destroy());
      await once(socket, 'data');
    },
  },
  {
    name: 'knows a child process by its group: it sends from its machine and is cut off with it',
    async run(world) {
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const { group } = two.host;
      // In the user namespace of an ordinary user there is one group; a limit says so.
      if (group === undefined) return;
      const command = ['--regid', String(group), '--clear-groups', process.execPath, '--eval', DIAL, one.address];
      const call = async (): Promise<string> => (await execute('setpriv', command, { timeout: 10_000 })).stdout.trim();
      assert.equal(await call(), 'cp-1');
      assert.deepEqual(one.callers, [two.address]);
      await two.host.setCondition('off');
      assert.notEqual(await call(), 'cp-1');
    },
  },
  {
    name: 'parts two parties, one way or both, and no others; a closed port swallows; all is as before when cleared',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const seen = async (): Promise<string[]> => [
        await dialFrom(net, 'cp-2', one.address),
        await dialFrom(net, 'client', one.address),
        await dialFrom(net, 'client', two.address),
      ];
      await net.disturb([{ kind: 'partition', from: 'cp-1', to: 'cp-2', oneWay: false }]);
      assert.deepEqual(await seen(), ['silence', 'cp-1', 'cp-2']);
      // What the client sends arrives, the answers do not.
      await net.disturb([{ kind: 'partition', from: 'cp-1', to: 'client', oneWay: true }]);
      assert.deepEqual(await seen(), ['cp-1', 'silence', 'cp-2']);
      await net.disturb([{ kind: 'firewall', node: 'cp-2', port: PORT, from: 'client' }]);
      assert.deepEqual(await seen(), ['cp-1', 'cp-1', 'silence']);
      await net.disturb([{ kind: 'loss', from: 'client', to: 'cp-1', oneWay: true, share: 1 }]);
      assert.deepEqual(await seen(), ['cp-1', 'silence', 'cp-2']);
      await net.disturb([]);
      assert.deepEqual(await seen(), ['cp-1', 'cp-1', 'cp-2']);
    },
  },
  {
    name: 'lets through a firewall of the cloud what its rules name, and answers; without one, everything',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const inner = await withPrivate(world, one);
      await withPrivate(world, two);
      const rule = (sourceIPs: string[], port: string | null): FirewallRule => ({
        direction: 'in',
        protocol: 'tcp',
        port,
        sourceIPs,
        destinationIPs: [],
      });
      const seen = async (): Promise<string[]> => [
        await dialFrom(net, 'client', one.address),
        await dialFrom(net, 'cp-2', one.address),
        await dialFrom(net, 'cp-2', inner),
        await dialFrom(net, 'cp-1', two.address),
      ];
      await net.firewall(one.host, [rule([`${CLIENT_ADDRESS}/32`, '::/0'], '6000-6443')]);
      // The private network is not the firewall's; what the machine begins itself is answered.
      assert.deepEqual(await seen(), ['cp-1', 'silence', 'cp-1', 'cp-2']);
      await net.firewall(one.host, [rule(['0.0.0.0/0', '::/0'], '443'), rule(['::/0'], 'any')]);
      assert.deepEqual(await seen(), ['silence', 'silence', 'cp-1', 'cp-2']);
      await net.firewall(one.host, [
        rule(['0.0.0.0/0'], 'any'),
        { direction: 'out', protocol: 'icmp', port: null, sourceIPs: [], destinationIPs: ['0.0.0.0/0'] },
      ]);
      assert.deepEqual(await seen(), ['cp-1', 'cp-1', 'cp-1', 'silence']);
      await net.firewall(one.host, undefined);
      assert.deepEqual(await seen(), ['cp-1', 'cp-1', 'cp-1', 'cp-2']);
    },
  },
  {
    name: 'lets in what a machine’s own firewall names where it blocks, and shuts out all others where it accepts',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      assert.ok(one.host.ingress !== undefined);
      const open = await greeted(world, one.address);
      const seen = async (): Promise<string[]> => [
        await dialFrom(net, 'client', one.address),
        await dialFrom(net, 'cp-2', one.address),
        await dialFrom(net, 'cp-1', one.address),
      ];
      const from = [{ subnet: `${two.address}/24`, except: undefined }];
      await one.host.ingress({ otherwise: 'block', rules: [{ protocol: 'tcp', ports: [`${PORT}`], from }] });
      assert.deepEqual(await seen(), ['silence', 'cp-1', 'cp-1']);
      const but = [{ subnet: '0.0.0.0/0', except: `${two.address}/32` }];
      await one.host.ingress({ otherwise: 'accept', rules: [{ protocol: 'tcp', ports: ['6000-7000'], from: but }] });
      assert.deepEqual(await seen(), ['cp-1', 'silence', 'cp-1']);
      await one.host.ingress({ otherwise: 'block', rules: [] });
      assert.deepEqual(await seen(), ['silence', 'silence', 'cp-1']);
      // A connection that was open lives on.
      open.socket.write('hello');
      await until(() => open.heard.join('').includes('hello'));
      assert.equal(open.heard.join(''), 'cp-1\nhello');
      await one.host.ingress(undefined);
      assert.deepEqual(await seen(), ['cp-1', 'cp-1', 'cp-1']);
    },
  },
];
