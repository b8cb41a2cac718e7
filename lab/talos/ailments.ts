import type { Clock } from '../../src/base/clock.ts';
import type { KeyPair } from '../pki/types.ts';
import type { Derived } from './config/types.ts';
import type { MachineFacts } from './types.ts';

/** What is wrong with a machine on purpose. It outlives reboots and ends with its fault; nothing set = a sound machine. */
export interface Ailments {
  hostname?: string | undefined;
  /** Names of its links, the public one first. */
  linkNames?: readonly string[] | undefined;
  /** How far its clock is ahead, milliseconds; negative = behind. */
  clockSkewMs?: number | undefined;
  /** Given to the API server after its own arguments. */
  apiServerArgs?: readonly string[] | undefined;
  /** In place of the serving certificate that Talos issues for the API server. */
  servingCertificate?: ((derived: Derived) => Promise<KeyPair>) | undefined;
  /** What it makes of its config, where that is not what Talos makes of it. */
  derived?: ((derived: Derived) => Derived) | undefined;
  /** It neither runs nor answers, and its cord has not been pulled. */
  kernelHung?: boolean | undefined;
}

/** The machine's clock: the world's, but for how far it is off. */
export const clockOf = (clock: Clock, ailments: Ailments): Clock => ({
  now: () => clock.now(),
  wall: () => new Date(clock.wall().getTime() + (ailments.clockSkewMs ?? 0)),
  sleep: (ms, signal) => clock.sleep(ms, signal),
});

/** The machine's facts as they are now. */
export const factsOf = (facts: MachineFacts, ailments: Ailments): MachineFacts =>
  Object.defineProperties({ ...facts }, {
    hostname: { get: () => ailments.hostname ?? facts.hostname, enumerable: true },
    links: {
      get: () => facts.links.map((link, i) => ({ ...link, name: ailments.linkNames?.[i] ?? link.name })),
      enumerable: true,
    },
  } satisfies Record<'hostname' | 'links', PropertyDescriptor>);
