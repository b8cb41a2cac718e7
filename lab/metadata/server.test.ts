import { afterEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { startLoopback } from '../fabric/loopback.ts';
import { type Audit, createAudit } from '../world/audit.ts';
import { startMetadata } from './server.ts';
import type { MetadataFacts } from './types.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const facts: MetadataFacts = {
  serverId: 4711,
  hostname: 'cp-1',
  publicIPv4: '127.64.130.4',
  publicIPv6: '2001:db8:1:2::/64',
  location: 'hel1',
  publicMac: '96:00:00:12:67:00',
  privateNetworks: [
    {
      ip: '127.64.1.2',
      aliasIPs: ['127.64.1.3'],
      macAddress: '86:00:00:12:67:00',
      networkId: 9,
      networkName: 'inner',
      network: '127.64.0.0/18',
      subnet: '127.64.0.0/18',
      gateway: '127.64.0.1',
    },
  ],
  userData: 'machine:\n  type: controlplane\n',
};

async function service(
  told: MetadataFacts,
): Promise<{ get: (path: string) => Promise<string>; audit: Audit; url: string }> {
  const net = await startLoopback({ random: systemRandom });
  cleanups.push(() => net.close());
  const audit = createAudit(undefined, () => new Date());
  const { hidden: address } = net.addHost('cp-1');
  const made = await startMetadata({ address, port: 8170, clock: systemClock, audit, facts: () => told });
  cleanups.push(() => made.close());
  return {
    audit,
    url: made.url,
    get: async (path) => {
      const response = await fetch(`${made.url}${path}`, { headers: { 'user-agent': 'Talos/v1.13.9 node/cp-1' } });
      return `${response.status} ${await response.text()}`;
    },
  };
}

describe('the metadata service', () => {
  test('tells single facts as bare text, and what has parts as YAML', async () => {
    const { get, audit } = await service(facts);
    expect(await get('/hetzner/v1/metadata/instance-id')).toBe('200 4711');
    expect(await get('/hetzner/v1/metadata/hostname')).toBe('200 cp-1');
    expect(await get('/hetzner/v1/metadata/public-ipv4')).toBe('200 127.64.130.4');
    expect(await get('/hetzner/v1/metadata/availability-zone')).toBe('200 hel1-dc2');
    expect(await get('/hetzner/v1/metadata/region')).toBe('200 eu-central');
    expect(await get('/hetzner/v1/userdata')).toBe(`200 ${facts.userData}`);
    expect(parse((await get('/hetzner/v1/metadata/private-networks')).slice(4))).toEqual([
      {
        ip: '127.64.1.2',
        alias_ips: ['127.64.1.3'],
        interface_num: 1,
        mac_address: '86:00:00:12:67:00',
        network_id: 9,
        network_name: 'inner',
        network: '127.64.0.0/18',
        subnet: '127.64.0.0/18',
        gateway: '127.64.0.1',
      },
    ]);
    expect(parse((await get('/hetzner/v1/metadata/network-config')).slice(4))).toMatchObject({
      version: 1,
      config: [
        {
          type: 'physical',
          mac_address: '96:00:00:12:67:00',
          subnets: [
            { type: 'dhcp' },
            { type: 'static', ipv6: true, address: '2001:db8:1:2::1/64', gateway: 'fe80::1' },
          ],
        },
      ],
    });
    expect(parse((await get('/hetzner/v1/metadata')).slice(4))).toMatchObject({
      'instance-id': 4711,
      hostname: 'cp-1',
      'public-ipv4': '127.64.130.4',
      'availability-zone': 'hel1-dc2',
    });
    expect(audit.since()[0]).toMatchObject({ system: 'hetzner', write: false, by: 'node/cp-1', status: 200 });
  });

  test('says not found for other paths and for what the server does not have (guess)', async () => {
    const { get, url } = await service({ ...facts, publicIPv4: '', publicIPv6: '', privateNetworks: [], userData: '' });
    for (const path of [
      '/',
      '/latest/meta-data',
      '/hetzner/v1/metadata/floating-ips',
      '/hetzner/v1/metadata/constructor',
      '/hetzner/v1/metadata/public-ipv4',
      '/hetzner/v1/metadata/private-networks',
      '/hetzner/v1/userdata',
    ]) {
      expect([path, await get(path)]).toEqual([path, '404 not found']);
    }
    expect((await get('/hetzner/v1/metadata')).includes('public-ipv4')).toBe(false);
    expect((await fetch(`${url}/hetzner/v1/userdata`, { method: 'PUT' })).status).toBe(405);
  });
});
