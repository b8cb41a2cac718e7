import type { Redacted } from '../base/redacted.ts';
import type { ClusterConfig } from './schema.ts';

/** A configuration whose references are resolved and whose paths are absolute. */
export interface LoadedConfig {
  /** The file it came from, absolute. */
  readonly file: string;
  readonly config: ClusterConfig;
  readonly hetznerToken: Redacted;
  /** The token that goes onto the control planes; undefined where the mode needs none. */
  readonly vipToken: Redacted | undefined;
  readonly talosconfig: { readonly text: Redacted; readonly source: string };
  /** Where there is none, credentials are made through Talos for the run. */
  readonly kubeconfig: { readonly text: Redacted; readonly source: string } | { readonly missing: string };
  /** undefined where the state is kept in the cluster itself. */
  readonly stateDir: string | undefined;
  /** The identity is read when something has to be opened: who only applies need not have it. */
  readonly journal: {
    readonly recipients: readonly string[];
    readonly identity: (() => Promise<Redacted>) | undefined;
  };
  readonly consumers: {
    readonly kubeconfig: readonly { readonly file: string; readonly context: string | undefined }[];
    readonly talosconfig: readonly { readonly file: string; readonly context: string | undefined }[];
    readonly repository: string | undefined;
  };
}
