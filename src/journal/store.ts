import path from 'node:path';
import type { Files } from '../consumers/files.ts';

/** Where a journal is kept. Its lines only grow; what is put beside them is named once and never changed. */
export interface JournalStore {
  /** For people: a folder, or a Secret of the cluster. */
  readonly place: string;
  append(line: string): Promise<void>;
  /** All lines; empty where there is no journal yet. */
  lines(): Promise<string>;
  /** Gives where it stands now, for people. */
  put(name: string, text: string): Promise<string>;
  get(name: string): Promise<string | undefined>;
}

export const JOURNAL_FILE = 'journal.jsonl';

/** A folder of this machine: 0700, its files 0600. */
export function folderStore(files: Files, folder: string): JournalStore {
  const file = path.join(folder, JOURNAL_FILE);
  return {
    place: folder,
    async append(line) {
      await files.makeFolder(folder, 0o700);
      await files.append(file, `${line}\n`, 0o600);
    },
    lines: async () => (await files.read(file)) ?? '',
    async put(name, text) {
      const target = path.join(folder, name);
      await files.makeFolder(folder, 0o700);
      await files.makeFolder(path.dirname(target), 0o700);
      await files.write(target, text, 0o600);
      return target;
    },
    get: (name) => files.read(path.join(folder, name)),
  };
}
