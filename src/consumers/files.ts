import { appendFile, chmod, mkdir, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomic } from '../base/files.ts';

/** Files of this machine. Reading what is not there gives undefined; every other trouble is thrown. */
export interface Files {
  read(file: string): Promise<string | undefined>;
  /** Names in a folder, sorted; undefined when it is not there. */
  list(folder: string): Promise<readonly string[] | undefined>;
  /** Old content or new, never half of it. Makes the folder where it is missing. */
  write(file: string, content: string, mode: number): Promise<void>;
  append(file: string, line: string, mode: number): Promise<void>;
  makeFolder(folder: string, mode: number): Promise<void>;
}

const absent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

export const nodeFiles: Files = {
  async read(file) {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if (absent(error)) return undefined;
      throw error;
    }
  },
  async list(folder) {
    try {
      return (await readdir(folder)).toSorted();
    } catch (error) {
      if (absent(error)) return undefined;
      throw error;
    }
  },
  async write(file, content, mode) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeAtomic(file, content, mode);
  },
  append: (file, line, mode) => appendFile(file, line, { mode, flush: true }),
  async makeFolder(folder, mode) {
    await mkdir(folder, { recursive: true, mode });
    await chmod(folder, mode);
  },
};
