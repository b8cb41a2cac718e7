import type { Machine } from '../machine.ts';
import type { EtcdStart } from '../types.ts';
import type { Uptime } from './uptime.ts';

/** What a machine knows that its disk does not: enough to go on from where it was, with its processes begun anew. */
export interface KeptNode {
  readonly stage: 'running' | 'maintenance' | 'off';
  /** How its etcd first came to be. */
  readonly first: EtcdStart;
  /** The active config, where it is another than the one on disk. One that is only tried is not kept, as at a reboot. */
  readonly active?: string;
  /** Addresses that were bound for a while since it booted. */
  readonly earlier: readonly string[];
  /** Its places in the queues for shared IPs. */
  readonly vips: readonly KeptVip[];
}

export interface KeptVip {
  readonly link: string;
  readonly ip: string;
  /** Of its session in etcd, which holds its key in the queue. */
  readonly lease: bigint;
  /** It had the address. */
  readonly leading: boolean;
}

/** The machine as it can be kept; undefined while it is on its way from one stage to another. */
export function keptOf(machine: Machine, uptime: Uptime | undefined, first: EtcdStart): KeptNode | undefined {
  const { stage, active, persistent } = machine;
  if (stage !== 'running' && stage !== 'maintenance' && stage !== 'off') return undefined;
  const own = stage === 'running' && active !== undefined && active.text !== persistent && uptime?.trying !== true;
  return {
    stage,
    first,
    ...(own ? { active: active.text } : {}),
    earlier: [...machine.earlier],
    vips: uptime?.controlPlane?.vips.kept() ?? [],
  };
}
