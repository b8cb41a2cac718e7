import { appendFile, chmod, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { writeAtomic } from '../base/files.ts';

/** Files of this machine. Reading what is not there gives undefined; every other trouble is thrown. */
export interface Files {
  read(file: string): Promise<string | undefined>;
  /** Names in a folder, sorted; undefined when it is not there. */
  list(folder: string): Promise<readonly string[] | undefined>;
  /** Old content or new, never half of it. Makes the folder where it is missing. */
  write(file: string, content: string, mode: number): Promise<void>;
  /** As `write`, for what is too large to hold: nothing is there before all of it is. */
  writeStream(file: string, content: AsyncIterable<Uint8Array>, mode: number): Promise<void>;
  exists(file: string): Promise<boolean>;
  remove(file: string): Promise<void>;
  append(file: string, line: string, mode: number): Promise<void>;
  makeFolder(folder: string, mode: number): Promise<void>;
}

const absent = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';

/** As `mkdir -p`. Node's own recursive form never ends where a folder cannot be made for want of its parent (below /proc). */
async function makeFolders(folder: string, mode = 0o777): Promise<void> {
  const make = (): Promise<void> =>
    mkdir(folder, { mode }).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  try {
    await make();
  } catch (error) {
    if (!absent(error) || folder === path.dirname(folder)) throw error;
    await makeFolders(path.dirname(folder), mode);
    await make();
  }
}

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
    await makeFolders(path.dirname(file));
    await writeAtomic(file, content, mode);
  },
  async writeStream(file, content, mode) {
    // What is too large to hold is never for others to see.
    await makeFolders(path.dirname(file), 0o700);
    await writeAtomic(file, content, mode);
  },
  exists: (file) =>
    stat(file).then(
      () => true,
      (error: unknown) => {
        if (absent(error)) return false;
        throw error;
      },
    ),
  remove: (file) => rm(file),
  append: (file, line, mode) => appendFile(file, line, { mode, flush: true }),
  async makeFolder(folder, mode) {
    await makeFolders(folder, mode);
    await chmod(folder, mode);
  },
};
