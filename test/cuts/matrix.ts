import type { Plan } from './isolated.ts';
import type { Start, Variant } from './world.ts';

const VERSIONS = ['v1.13.9', 'v1.12.11', 'v1.14.0-rc.1', 'v1.11.6'] as const;
const STARTS: readonly Start[] = ['fresh', 'endpoint-dead', 'half-done', 'converged'];

/** Every world there is. Talos 1.11 writes the legacy form, the later ones the document. */
export const everyVariant = (parts: Variant['parts']): Variant[] =>
  VERSIONS.flatMap((talos) =>
    (['ip', 'name'] as const).flatMap((endpoint) =>
      STARTS.map((start) => ({ talos, endpoint, start, parts, workers: 1 })),
    ),
  );

/**
 * Eight worlds that hold each version, each start and both forms of the VIP; the sample that CI cuts. Not an endpoint by name: the
 * lab's names are known to its own name server only, and the tool's probes ask this machine's.
 */
export function usualPlans(cuts: number): Plan[] {
  const of = (talos: Variant['talos'], endpoint: Variant['endpoint'], start: Start): Variant => ({
    talos,
    endpoint,
    start,
    parts: 'built-in',
    workers: 1,
  });
  const variants = [
    of('v1.13.9', 'ip', 'fresh'),
    of('v1.13.9', 'ip', 'converged'),
    of('v1.12.11', 'ip', 'endpoint-dead'),
    of('v1.11.6', 'ip', 'half-done'),
    of('v1.14.0-rc.1', 'ip', 'fresh'),
    of('v1.11.6', 'ip', 'converged'),
    of('v1.14.0-rc.1', 'ip', 'half-done'),
    of('v1.11.6', 'ip', 'fresh'),
  ];
  return variants.map((variant) => ({ variant, cuts: Math.ceil(cuts / variants.length) }));
}
