import type { TalosVersion } from '../types.ts';

/** What the machine is told to do with itself, by the API or by its power button. */
export type LifeRequest =
  | { readonly kind: 'reboot'; readonly force: boolean; readonly actorId: string }
  | { readonly kind: 'shutdown'; readonly force: boolean; readonly actorId: string }
  | {
      readonly kind: 'reset';
      /** Drains, and leaves etcd first. */
      readonly graceful: boolean;
      readonly reboot: boolean;
      /** Labels of partitions; undefined = the whole disk. */
      readonly partitions: readonly string[] | undefined;
      readonly actorId: string;
    }
  /** `staged`: the installer runs at the next boot, without a drain before. */
  | {
      readonly kind: 'upgrade';
      readonly version: TalosVersion;
      readonly staged: boolean;
      readonly actorId: string;
    };
