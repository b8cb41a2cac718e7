import { fork } from 'node:child_process';
import path from 'node:path';
import { readTalosctl, type RecordedCommand } from './recordings.ts';
import type { Replayed } from './replay.ts';
import { byWorld, idOf } from './run.ts';

/** Two processors are what the lab is measured on. */
const AT_ONCE = 2;

/** Sends all recorded commands below a folder again, each release in a process of its own; tells each result as it comes. */
export async function replayAll(folder: string, tell: (result: Replayed) => void): Promise<void> {
  const worlds = [...byWorld(readTalosctl(folder).commands)];
  const one = async (version: string, commands: readonly RecordedCommand[]): Promise<void> => {
    const missing = new Map<string, number>();
    for (const command of commands) missing.set(idOf(command), (missing.get(idOf(command)) ?? 0) + 1);
    const how = await replayRelease(folder, version, (result) => {
      missing.set(result.id, (missing.get(result.id) ?? 0) - 1);
      tell(result);
    });
    // One that was not answered is no case that passed.
    for (const [id, count] of missing) {
      for (let n = 0; n < count; n += 1) {
        tell({ id, compared: [], troubles: [`the replay of ${version} ended before it: ${how}`] });
      }
    }
  };
  const worker = async (): Promise<void> => {
    for (let next = worlds.shift(); next !== undefined; next = worlds.shift()) await one(...next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

function replayRelease(folder: string, version: string, tell: (result: Replayed) => void): Promise<string> {
  const child = fork(path.join(import.meta.dirname, 'child.ts'), [folder, version], { execArgv: [], stdio: 'inherit' });
  child.on('message', (message: Replayed | 'over') => {
    if (message !== 'over') tell(message);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(signal ?? `exit ${String(code)}`));
  });
}
