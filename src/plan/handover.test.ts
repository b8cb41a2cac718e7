import { describe, expect, test } from 'vitest';
import { controlPlane, fact, finished, IP, nodeConfig } from '../model/observation.testing.ts';
import type { NodeObservation } from '../model/observation.ts';
import { handOver, wouldBeTaken } from './handover.ts';

const BODY = `machine:
  type: controlplane
  kubelet:
    nodeIP:
      validSubnets: KUBELET
cluster:
  etcd:
    advertisedSubnets: ETCD
`;
const node = (addresses: readonly string[], kubelet: readonly string[], etcd: readonly string[]): NodeObservation =>
  controlPlane(1, {
    config: fact(
      nodeConfig({ body: BODY.replace('KUBELET', JSON.stringify(kubelet)).replace('ETCD', JSON.stringify(etcd)) }),
    ),
    links: fact(
      addresses.map((address) => ({ link: address === '127.0.0.1' ? 'lo' : 'eth0', address: `${address}/32` })),
    ),
  });

describe('whether the address could become the node’s own while its VIP entry is out', () => {
  test.each([
    ['a private address comes before it', ['203.0.113.1', '10.0.0.1', IP], [], [], undefined],
    ['its public address alone comes after it', ['203.0.113.1', IP], [], [], 'kubelet'],
    ['its public address alone comes before it', ['192.0.2.9', IP], [], [], undefined],
    ['both lists leave it out', ['203.0.113.1', IP], ['203.0.113.0/24'], ['203.0.113.1/32'], undefined],
    ['only the kubelet leaves it out', ['203.0.113.1', IP], ['0.0.0.0/0', `!${IP}/32`], [], 'etcd'],
    [
      'an exclusion before what lets it in does nothing',
      ['203.0.113.1', IP],
      [`!${IP}/32`, '0.0.0.0/0'],
      [],
      'kubelet',
    ],
    [
      'loopback and link-local addresses do not count',
      ['127.0.0.1', '169.254.2.53', '203.0.113.1', IP],
      [],
      [],
      'kubelet',
    ],
  ] as const)('%s', (_name, addresses, kubelet, etcd, taker) => {
    const trouble = wouldBeTaken(node(addresses, kubelet, etcd), IP);
    if (taker === undefined) expect(trouble).toBeUndefined();
    else expect(trouble).toContain(`so ${taker} could take it`);
  });
});

describe('the hand-over before the holder’s API server restarts', () => {
  const world = finished();
  const [first, holder] = world.nodes;
  const turn = (who: NodeObservation | undefined, restarts: boolean, done = true): string => {
    if (who === undefined) throw new Error('no such node');
    return handOver(world, who, IP, restarts, () => done).kind;
  };

  test('is for the holder alone, when a restart is to come and the others are done', () => {
    expect(turn(holder, true)).toBe('before');
    expect(turn(holder, false)).toBe('none');
    expect(turn(holder, true, false)).toBe('none');
    expect(turn(first, true)).toBe('none');
  });

  test('a node without the entry whose address another has is in the middle of it', () => {
    const out = controlPlane(1, { config: fact(nodeConfig()) });
    expect(handOver(world, out, IP, true, () => true).kind).toBe('out');
  });
});
