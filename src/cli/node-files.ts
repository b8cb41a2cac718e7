import { appendFile, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomic } from '../base/files.ts';
import type { Files } from '../consumers/files.ts';

const absentIsUndefined = (error: unknown): undefined => {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
};

/** The files of this machine. */
export const nodeFiles: Files = {
  read: (file) => readFile(file, 'utf8').catch(absentIsUndefined),
  list: (folder) => readdir(folder).then((names) => names.toSorted(), absentIsUndefined),
  async write(file, content, mode) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeAtomic(file, content, mode);
  },
  append: (file, line, mode) => appendFile(file, line, { mode }),
  async makeFolder(folder, mode) {
    await mkdir(folder, { recursive: true, mode });
  },
};
