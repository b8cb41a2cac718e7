import type { Files } from '../consumers/files.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { ProcessTable } from '../base/processes.ts';
import type { Redacted } from '../base/redacted.ts';
import type { handshake } from '../probe/handshake.ts';
import type { ready } from '../probe/ready.ts';
import type { ProberOptions } from '../probe/prober.ts';
import type { Prober } from '../probe/types.ts';
import type { HetznerClient } from '../systems/hetzner/types.ts';
import type { KubeContext, KubernetesClient } from '../systems/kubernetes/types.ts';
import type { TalosClient, TalosContext } from '../systems/talos/types.ts';

/** Every outside system, as the rest of fairlead reaches it. Composed once per command. */
export interface Systems {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Who this process is, and which others live on this machine: for the lock. */
  readonly processes: ProcessTable;
  /** The same client for the same token. */
  hetzner(token: Redacted): HetznerClient;
  /** One node's Talos API, at that node's own address; the same client for the same address. */
  talos(address: string): TalosClient;
  readonly talosContext: TalosContext;
  readonly kubeContext: KubeContext;
  /** Why the credentials are not those of the configured kubeconfig, and where they came from; undefined where they are. */
  readonly kubeOrigin: string | undefined;
  kubernetes(context: KubeContext): KubernetesClient;
  readonly handshake: typeof handshake;
  readonly ready: typeof ready;
  /** The addresses that a DNS name leads to; throws where it leads nowhere. */
  resolve(name: string): Promise<readonly string[]>;
  startProber(options: ProberOptions): Prober;
  /** Ends every connection. */
  close(): void;
}
