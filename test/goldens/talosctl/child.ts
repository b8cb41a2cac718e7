import process from 'node:process';
import { readTalosctl } from './recordings.ts';
import { byWorld, replayRelease } from './run.ts';

/** Replays the commands of one release, and sends each result to the process that began this one. */
const [folder = '', release = ''] = process.argv.slice(2);
const { commands, blobs } = readTalosctl(folder);
for (const [version, chosen] of byWorld(commands)) {
  if (version === release) await replayRelease(version, { commands: chosen, blobs }, (result) => process.send?.(result));
}
// What is under way in machines that are gone is nobody's concern any more.
process.send?.('over', () => process.exit(0));
