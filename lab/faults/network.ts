import type { Disturbance, DisturbanceRule } from '../fabric/types.ts';
import type { Faults } from './registry.ts';
import type { Fault } from './types.ts';

export const NETWORK_KINDS: ReadonlySet<string> = new Set(['partition', 'latency', 'loss', 'firewall']);

/** All rules between parties that the active faults make. */
export const disturbancesOf = (faults: Faults): readonly Disturbance[] =>
  [...NETWORK_KINDS]
    .flatMap((kind) => faults.inForce(kind))
    .map((fault) => ({
      ...disturbanceOf(fault),
      id: fault.id,
      take: () => faults.spend(fault),
    }));

function disturbanceOf({ kind, parameters }: Fault): DisturbanceRule {
  const party = (name: string): string => String(parameters[name]);
  if (kind === 'firewall') {
    const { port, from } = parameters;
    return {
      kind,
      node: party('node'),
      port: typeof port === 'number' ? port : undefined,
      from: typeof from === 'string' ? from : undefined,
    };
  }
  const between = { from: party('from'), to: party('to'), oneWay: parameters['one-way'] === true };
  if (kind === 'latency') return { kind, ...between, ms: Number(parameters['delay']) };
  if (kind === 'loss') return { kind, ...between, share: Number(parameters['percent']) / 100 };
  return { kind: 'partition', ...between };
}
