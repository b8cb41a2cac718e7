import type { SavedProject } from '../../cloud/saved.ts';
import type { CloudServer } from '../../cloud/types.ts';
import type { FabricMemory } from '../../fabric/types.ts';
import type { SavedFaults } from '../../faults/registry.ts';
import type { Secrets } from '../../provisioner/types.ts';
import type { KeptNode } from '../../talos/life/kept.ts';
import type { GoneMachine } from '../machines.ts';

/** A world as it can be kept, beside the files of its folder: plain data. */
export interface WorldState {
  readonly name: string;
  readonly tokens: { readonly own: string; readonly node: string; readonly readOnly: string };
  readonly secrets: Secrets;
  /** Its folder as it was: paths of data directories begin with it. */
  readonly state: string;
  readonly addresses: { readonly service: string; readonly dns: string };
  readonly fabric: FabricMemory;
  readonly project: SavedProject;
  readonly machines: readonly KeptMachine[];
  /** Deleted nodes that can be recreated, by name. */
  readonly gone: ReadonlyMap<string, GoneMachine>;
  readonly faults: SavedFaults;
  /** Of an etcd that has no files. */
  readonly etcd?: unknown;
}

export interface KeptMachine {
  /** As it was when the machine came into the world. */
  readonly server: CloudServer;
  readonly node: KeptNode;
  readonly ready: boolean;
}
