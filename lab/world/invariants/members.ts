import { readFile } from 'node:fs/promises';
import { textOf } from '../../../src/base/failure.ts';
import { createEtcdClient } from '../../kubernetes/etcd/client.ts';
import type { EtcdMemberInfo } from '../../kubernetes/etcd/types.ts';
import type { Machine } from '../machines.ts';
import type { InvariantPorts } from './check.ts';

/** Every member's own list, against the control planes there are. */
export async function memberViolations({ machines }: InvariantPorts): Promise<string[]> {
  const planes = machines().filter(({ node }) => node.role === 'control-plane');
  const wanted = sorted(planes.map(({ node }) => node.inside.machine.facts.hostname));
  const lists = await Promise.all(
    planes.map(async (machine) => {
      const members = await membersOf(machine).catch((error: unknown) => textOf(error));
      if (typeof members === 'string') return [`etcd of ${machine.server.name} does not answer: ${members}`];
      const found = sorted(members.map(({ name, isLearner }) => (isLearner ? `${name} (learner)` : name)));
      return found === wanted ? [] : [`etcd of ${machine.server.name} has the members ${found}, not ${wanted}`];
    }),
  );
  return lists.flat();
}

const sorted = (names: readonly string[]): string => names.toSorted((a, b) => a.localeCompare(b)).join(', ');

async function membersOf({ node }: Machine): Promise<readonly EtcdMemberInfo[]> {
  const { etcd } = node.info();
  if (etcd === undefined) throw new Error('it runs no etcd');
  const [ca = '', cert = '', key = ''] = await Promise.all(
    [etcd.ca, etcd.cert, etcd.key].map((file) => readFile(file, 'utf8')),
  );
  const { hidden } = node.inside.machine.ports.host;
  const client = createEtcdClient({ endpoint: `https://${hidden}:2379`, tls: { ca, cert, key }, timeoutMs: 2_000 });
  try {
    return await client.members();
  } finally {
    client.close();
  }
}
