import { controlPlanes } from '../model/cluster.ts';
import { valueOf } from '../model/fact.ts';
import type { Observation } from '../model/observation.ts';
import type { GateCheck } from './gates.ts';

/** A key of etcd with its newest value. */
interface Entry {
  readonly key: string;
  readonly value: string;
}

const ELECTION = 'talos:v1:vip:election:';
const UPGRADE = 'talos:v1:etcdUpgradeMutex';

/**
 * What only etcd itself tells, out of a snapshot: that nobody stands in the queue for the address who is no control plane with the VIP, or
 * stands there twice (a dead one at its head keeps the address from everybody until its lease ends), and that no upgrade holds Talos' lock.
 */
export function queueChecks(observation: Observation, ip: string, entries: readonly Entry[] | undefined): GateCheck[] {
  const [queue, upgrade] = ["Talos' election queue clean", "no upgrade holds Talos' lock"] as const;
  if (entries === undefined) {
    const evidence = 'the snapshot of etcd was too large to be looked through';
    return [
      { name: queue, verdict: 'unknown', evidence },
      { name: upgrade, verdict: 'unknown', evidence },
    ];
  }
  const waiting = entries.filter(({ key }) => key.startsWith(`${ELECTION}${ip}/`)).map(({ value }) => value);
  const able = new Set(
    controlPlanes(observation).flatMap((node) =>
      valueOf(node.config)?.vips.some((vip) => vip.ip === ip) === true ? [node.name] : [],
    ),
  );
  const strange = waiting.filter((name, i) => !able.has(name) || waiting.indexOf(name) !== i);
  const upgrading = entries.filter(({ key }) => key.startsWith(UPGRADE));
  return [
    {
      name: queue,
      verdict: strange.length === 0 ? 'open' : 'closed',
      evidence:
        strange.length === 0
          ? waiting.join(', ') || 'nobody waits'
          : `${strange.join(', ')} ${strange.length === 1 ? 'waits' : 'wait'} for ${ip} without the VIP in the machine config, or twice`,
    },
    {
      name: upgrade,
      verdict: upgrading.length === 0 ? 'open' : 'closed',
      evidence: upgrading.length === 0 ? 'free' : 'an upgrade is under way',
    },
  ];
}
