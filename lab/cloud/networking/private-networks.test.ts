import { afterEach, expect, test } from 'vitest';
import { testCloud } from '../testing.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

test("a server's metadata tells the networks it is in, with alias IPs as they are now, and the hardware address the API shows", async () => {
  const { cloud, act, call } = await testCloud();
  cleanups.push(() => cloud.close());
  const { id } = cloud.addServer({ name: 'cp-1', labels: {}, userData: '' });
  const shown = (await call('GET', `/servers/${id}`)).body?.['server'];
  const [network] = cloud.privateNetworks(id);
  expect(shown).toMatchObject({
    private_net: [{ network: network?.networkId, ip: network?.ip, mac_address: network?.macAddress, alias_ips: [] }],
  });
  expect(network).toMatchObject({
    networkName: 'test-network',
    network: '127.80.128.0/18',
    subnet: '127.80.128.0/18',
    gateway: '127.80.128.1',
    aliasIPs: [],
  });
  const alias = '127.80.190.7';
  await act('POST', `/servers/${id}/actions/change_alias_ips`, { network: network?.networkId, alias_ips: [alias] });
  expect(cloud.privateNetworks(id)[0]?.aliasIPs).toEqual([alias]);
  await act('POST', `/servers/${id}/actions/detach_from_network`, { network: network?.networkId });
  expect([cloud.privateNetworks(id), cloud.privateNetworks(1)]).toEqual([[], []]);
});

test('a server that leaves the network is no longer led to, and is again once it is back', async () => {
  const led: string[] = [];
  const effects = {
    privateIPRouted: async (ip: string, server: { readonly name: string } | undefined) => {
      led.push(`${ip} -> ${server?.name ?? 'nowhere'}`);
    },
  };
  const { cloud, act } = await testCloud({ effects });
  cleanups.push(() => cloud.close());
  const { id, privateIPv4 } = cloud.addServer({ name: 'cp-1', labels: {}, userData: '' });
  const network = cloud.privateNetworks(id)[0]?.networkId;
  await act('POST', `/servers/${id}/actions/detach_from_network`, { network });
  await act('POST', `/servers/${id}/actions/attach_to_network`, { network });
  expect(led).toEqual([`${privateIPv4} -> nowhere`, `${privateIPv4} -> cp-1`]);
});
