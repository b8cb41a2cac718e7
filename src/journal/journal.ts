import path from 'node:path';
import type { Clock } from '../base/clock.ts';
import { Failure, textOf } from '../base/failure.ts';
import type { Files } from '../consumers/files.ts';

/** One line of the journal. Never a secret, never a machine config: of those the SHA-256 only. */
export type Entry =
  | { readonly kind: 'run-started'; readonly cluster: string; readonly changes: readonly string[] }
  | { readonly kind: 'original'; readonly node: string; readonly sha256: string }
  | {
      readonly kind: 'intent';
      readonly change: string;
      readonly what: string;
      readonly sha256Before?: string;
      readonly sha256After?: string;
    }
  | { readonly kind: 'result'; readonly change: string; readonly ok: boolean; readonly evidence: readonly string[] }
  | { readonly kind: 'run-ended'; readonly outcome: string };

/** An append-only record of intents and results. Resuming never needs it: it is for people, for undo, and for evidence. */
export interface Journal {
  readonly file: string;
  append(entry: Entry): Promise<void>;
  /** Writes the evidence document of this run and gives its path. */
  evidence(document: unknown): Promise<string>;
}

/**
 * Opens the journal in the state directory (0700, files 0600) and writes its first line, so that a full or read-only disk is
 * found before anything is changed.
 */
export async function openJournal(
  ports: { readonly files: Files; readonly clock: Clock },
  stateDir: string,
  first: Entry,
): Promise<Journal> {
  const { files, clock } = ports;
  const file = path.join(stateDir, 'journal.jsonl');
  const started = clock.wall().toISOString();
  const append = async (entry: Entry): Promise<void> => {
    await files.append(file, `${JSON.stringify({ at: clock.wall().toISOString(), run: started, ...entry })}\n`, 0o600);
  };
  try {
    await files.makeFolder(stateDir, 0o700);
    await append(first);
  } catch (error) {
    throw new Failure({
      code: 'state-unwritable',
      what: 'The journal cannot be written',
      why: textOf(error),
      state: 'Nothing was changed.',
      next: `Make room, or make ${stateDir} writable, or set state: in fairlead.yaml to a folder that is.`,
      cause: error,
    });
  }
  return {
    file,
    append,
    async evidence(document) {
      const name = path.join(stateDir, `evidence-${started.replaceAll(':', '')}.json`);
      await files.write(name, `${JSON.stringify(document, undefined, 2)}\n`, 0o600);
      return name;
    },
  };
}
