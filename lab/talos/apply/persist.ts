import path from 'node:path';
import { makeFolders, replaceFile } from '../files.ts';
import type { Machine } from '../machine.ts';

/** Writes the config to the machine's disk: what it boots with next. */
export async function persist(machine: Machine, text: string): Promise<void> {
  await makeFolders([path.dirname(machine.paths.config)]);
  await replaceFile(machine.paths.config, text);
  machine.persistent = text;
  machine.changed();
}
