import assert from 'node:assert/strict';
import { machine, type TestMachine, until } from '../scenarios.ts';
import type { FirewallRule } from '../types.ts';
import { CLIENT_ADDRESS, CLIENT_ADDRESS_6 } from './addresses.ts';
import { dialFrom, pingFrom } from './dialling.ts';
import type { NetnsScenario, NetnsWorld } from './scenarios.ts';

let prefixes = 0;
/** Also with a public /64, as a server of Hetzner's has it. */
async function withIPv6({ net }: NetnsWorld, of: TestMachine): Promise<string> {
  prefixes += 1;
  const prefix = `2001:db8:5:${prefixes}`;
  await of.host.claim(`${prefix}::1`);
  await net.route(`${prefix}::/64`, of.host);
  return `${prefix}::1`;
}

/** What is true of IPv6, which only namespaces have. */
export const ipv6Scenarios: readonly NetnsScenario[] = [
  {
    name: 'leads a server’s /64 to it: its process answers at ::1 both ways, nobody at another address; off, it swallows',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const address = await withIPv6(world, one);
      await withIPv6(world, two);
      const beside = address.replace('::1', '::2');
      assert.equal(await dialFrom(net, 'client', address), 'cp-1');
      assert.equal(await dialFrom(net, 'cp-2', address), 'cp-1');
      assert.equal(await dialFrom(net, 'cp-1', address), 'cp-1');
      assert.equal(await dialFrom(net, 'client', beside), 'silence');
      await one.host.shut(6443);
      assert.equal(await dialFrom(net, 'client', address), 'ECONNREFUSED');
      await one.host.open(6443);
      await one.host.setCondition('off');
      assert.equal(await dialFrom(net, 'client', address), 'silence');
      await one.host.setCondition('refusing');
      assert.equal(await dialFrom(net, 'client', address), 'ECONNREFUSED');
      await one.host.setCondition('up');
      assert.equal(await dialFrom(net, 'client', address), 'cp-1');
      // What was open through the relay ends with its client.
      await until(() => one.sockets.size === 0);
      assert.equal(one.sockets.size, 0);
    },
  },
  {
    name: 'leads a floating /64 where it is routed, and there to the addresses that are claimed out of it',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const two = await machine(world, 'cp-2');
      const [prefix, floating] = ['2001:db8:f1:1::/64', '2001:db8:f1:1::7'];
      await one.host.claim(floating);
      await net.route(prefix, one.host);
      assert.equal(await dialFrom(net, 'client', floating), 'cp-1');
      await net.route(prefix, two.host);
      assert.equal(await dialFrom(net, 'client', floating), 'silence');
      await two.host.claim(floating);
      assert.equal(await dialFrom(net, 'client', floating), 'cp-2');
      await net.route(prefix, undefined);
      assert.equal(await dialFrom(net, 'client', floating), 'silence');
    },
  },
  {
    name: 'lets through a firewall of the cloud what a rule names in each family, pings too; a node’s own rules speak IPv6',
    async run(world) {
      const { net } = world;
      const one = await machine(world, 'cp-1');
      const six = await withIPv6(world, one);
      const rule = (protocol: FirewallRule['protocol'], sourceIPs: string[]): FirewallRule => ({
        direction: 'in',
        protocol,
        port: protocol === 'icmp' ? null : '6443',
        sourceIPs,
        destinationIPs: [],
      });
      const seen = async (): Promise<string[]> => {
        const both = [one.address, six];
        const dials = both.map((address) => dialFrom(net, 'client', address));
        const pings = both.map(async (address) =>
          (await pingFrom(net, 'client', address)) === 'silence' ? 'silence' : 'pong',
        );
        return Promise.all([...dials, ...pings]);
      };
      assert.deepEqual(await seen(), ['cp-1', 'cp-1', 'pong', 'pong']);
      await net.firewall(one.host, [rule('tcp', ['::/0'])]);
      assert.deepEqual(await seen(), ['silence', 'cp-1', 'silence', 'silence']);
      await net.firewall(one.host, [rule('tcp', ['2001:db8:bad::/48']), rule('icmp', [`${CLIENT_ADDRESS_6}/128`])]);
      assert.deepEqual(await seen(), ['silence', 'silence', 'silence', 'pong']);
      await net.firewall(one.host, [
        rule('tcp', [`${CLIENT_ADDRESS}/32`, '2001:db8::/32']),
        rule('icmp', ['0.0.0.0/0']),
      ]);
      assert.deepEqual(await seen(), ['cp-1', 'cp-1', 'pong', 'silence']);
      await net.firewall(one.host, undefined);
      const from = [{ subnet: '2001:db8::/32', except: `${CLIENT_ADDRESS_6}/128` }];
      await one.host.ingress?.({ otherwise: 'block', rules: [{ protocol: 'tcp', ports: ['6443'], from }] });
      assert.deepEqual((await seen()).slice(0, 2), ['silence', 'silence']);
      const all = [{ subnet: '::/0', except: undefined }];
      await one.host.ingress?.({ otherwise: 'block', rules: [{ protocol: 'tcp', ports: ['6443'], from: all }] });
      assert.deepEqual((await seen()).slice(0, 2), ['silence', 'cp-1']);
    },
  },
];
