import type { ApplyRequest, ApplyResult } from '../apply/apply.ts';
import type { EtcdService } from '../control-plane/etcd.ts';
import type { LifeRequest } from '../life/request.ts';

/** What a call of the Talos API may do to the machine. */
export interface MachineControl {
  readonly etcd: () => EtcdService | undefined;
  readonly apply: (request: ApplyRequest) => Promise<ApplyResult>;
  /** Begins after the reply. */
  readonly live: (request: LifeRequest) => void;
  readonly startKubelet: () => Promise<void>;
  readonly stopKubelet: () => Promise<void>;
  readonly restartKubelet: () => Promise<void>;
  readonly restartEtcd: () => Promise<void>;
  /** The container of a static pod ends, and its kubelet begins it anew. */
  readonly restartPod: (pod: string) => Promise<void>;
}
