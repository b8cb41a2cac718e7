import { describe, expect, it } from 'vitest';
import { unknown } from '../model/fact.ts';
import {
  controlPlane,
  fact,
  finished,
  IP,
  loadedConfig,
  nodeConfig,
  observation,
} from '../model/observation.testing.ts';
import type { Change } from '../model/plan.ts';
import { planContext } from './context.ts';
import { nameWarnings, vipWarnings } from './warnings.ts';

const loaded = loadedConfig();
const some: readonly Change[] = [
  {
    id: 'node/cp-1/vip',
    what: '',
    where: { system: 'talos', subject: 'cp-1' },
    why: '',
    before: '',
    after: '',
    precondition: '',
    effect: '',
    undo: '',
    disruption: 'none',
    action: { kind: 'protect-address', id: 7, ip: IP },
  },
];
const vip = (talos: string, subnets?: { etcd: boolean; kubelet: boolean }): string => {
  const config = fact(nodeConfig(subnets === undefined ? {} : { subnets }));
  const planes = [1, 2, 3].map((n) => controlPlane(n, { talosVersion: fact(talos), config }));
  return vipWarnings(planContext(observation(planes), loaded), some).join('\n');
};

describe('what is said before a VIP is written', () => {
  it('is how long it takes to move, and where the API servers are when it does not', () => {
    expect(vip('v1.13.9')).toContain('45 to 63 s');
    expect(vip('v1.13.9')).toContain('https://203.0.113.1:6443, https://203.0.113.2:6443, https://203.0.113.3:6443');
    expect(vip('v1.13.9')).toContain(`From now on Talos alone assigns ${IP}`);
    expect(vipWarnings(planContext(finished(), loaded), [])).toEqual([]);
  });

  it('is that a Talos release shows the token or moves the address slowly, where it does', () => {
    const told = (version: string): boolean[] =>
      ['takes longer', 'shows the token'].map((text) => vip(version).includes(text));
    expect(told('v1.12.10')).toEqual([true, true]);
    expect(told('v1.12.11')).toEqual([false, true]);
    expect(told('v1.13.2')).toEqual([true, true]);
    expect(told('v1.13.3')).toEqual([true, false]);
    expect(told('v1.13.8')).toEqual([false, false]);
    expect(told('v1.14.0-rc.1')).toEqual([false, false]);
  });

  it('is that subnets are not written down, where either is not', () => {
    const text = 'advertisedSubnets';
    expect(vip('v1.13.9', { etcd: true, kubelet: true })).not.toContain(text);
    expect(vip('v1.13.9', { etcd: false, kubelet: true })).toContain(text);
    expect(vip('v1.13.9', { etcd: true, kubelet: false })).toContain(text);
  });
});

it('a name that does not lead to the address alone is told of', () => {
  const told = (addresses: readonly string[] | undefined): string =>
    nameWarnings(
      planContext(
        finished({
          endpointName: {
            name: 'api.example.com',
            addresses: addresses === undefined ? unknown('ENOTFOUND', 'dns') : fact(addresses),
          },
        }),
        loaded,
      ),
    ).join();
  expect(told([IP])).toBe('');
  expect(told(['203.0.113.1'])).toContain(`leads to 203.0.113.1, not to ${IP} alone`);
  expect(told(undefined)).toContain('cannot be resolved from here (ENOTFOUND)');
  expect(nameWarnings(planContext(finished(), loaded))).toEqual([]);
});
