import { readdirSync, statSync } from 'node:fs';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { keepFile, type KeptFile } from './archive.ts';

/** What belongs to the process that runs, not to the world: its record, its lock, its log, the record of requests. */
const OF_THE_PROCESS = /^(lab\.(json|lock|log)|children\.json|control\.sock|net|requests\.)/;
/** What a part makes again: etcd's spare log file, and the API server's audit, which the lab has read. */
const MADE_AGAIN = /\/etcd\/member\/wal\/\d+\.tmp$|\/kube-apiserver\/audit/;

/**
 * Everything that a lab's folder holds of the world, read in one go: between two turns of the event loop nothing of what
 * this process writes can change.
 */
export function collectFiles(state: string): KeptFile[] {
  const found: KeptFile[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(path.join(state, folder), { withFileTypes: true })) {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (folder === '' && OF_THE_PROCESS.test(name)) continue;
      if (entry.isDirectory()) walk(name);
      if (!entry.isFile() || MADE_AGAIN.test(name)) continue;
      const at = path.join(state, name);
      found.push(keepFile(name, at, statSync(at).mode & 0o777));
    }
  };
  walk('');
  return found;
}

/** Writes them into a lab's folder; folders are for their owner alone. */
export async function unpackFiles(state: string, files: readonly KeptFile[]): Promise<void> {
  const folders = new Set(files.map(({ name }) => path.dirname(path.join(state, name))));
  for (const folder of folders) await mkdir(folder, { recursive: true, mode: 0o700 });
  await Promise.all(
    files.map(async ({ name, mode, content, size }) => {
      const at = path.join(state, name);
      await writeFile(at, content, { mode });
      if (size > content.byteLength) await truncate(at, size);
    }),
  );
}
