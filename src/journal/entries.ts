/** Something whose original bytes are kept: a node's machine config, or a file of this machine. */
export type Subject = { readonly what: 'machine-config' | 'file'; readonly name: string };

export type Operation = 'apply' | 'undo' | 'remove';

export interface RunStarted {
  readonly kind: 'run-started';
  readonly operation: Operation;
  readonly cluster: string;
  /** SHA-256 of the cluster's CA: names come again, a CA does not. */
  readonly ca: string;
  readonly changes: readonly string[];
}

/** One line of the journal. Never a secret, never a machine config: of those the SHA-256 only. */
export type Entry =
  | RunStarted
  /** `sha256: null`: it was not there. */
  | { readonly kind: 'original'; readonly subject: Subject; readonly sha256: string | null }
  /** Taken before the first change of a control plane; sealed. */
  | {
      readonly kind: 'snapshot';
      readonly place: string;
      readonly sha256: string;
      readonly bytes: number;
      readonly member: string;
    }
  | { readonly kind: 'snapshot-left-out'; readonly reason: string }
  | { readonly kind: 'lock-left-out'; readonly reason: string }
  | {
      readonly kind: 'intent';
      readonly change: string;
      readonly what: string;
      readonly sha256Before?: string;
      readonly sha256After?: string;
    }
  | { readonly kind: 'result'; readonly change: string; readonly ok: boolean; readonly evidence: readonly string[] }
  | { readonly kind: 'run-ended'; readonly outcome: string };

export type JournalLine = Entry & { readonly at: string; readonly run: string };
