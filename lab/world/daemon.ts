// The lab's own process: started by `fairlead lab up`, detached from its shell, ended by `fairlead lab down`.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { systemClock } from '../../src/base/clock.ts';
import { Failure, textOf } from '../../src/base/failure.ts';
import { writeAtomic } from '../../src/base/files.ts';
import { systemRandom } from '../../src/base/random.ts';
import { startControl } from './control.ts';
import type { DaemonMessage, LabOptions, LabRecord } from './info.ts';
import { startTimeOf } from './processes.ts';
import { readSnapshot } from './snapshot/archive.ts';
import { unpackFiles } from './snapshot/files.ts';
import type { WorldState } from './snapshot/state.ts';
import { startWorld } from './world.ts';

const CONTROL_PORT = 8421;
/** In the state folder, which is this process' own folder then: the path of a socket may not be long. */
const CONTROL_SOCKET = 'control.sock';

const tell = (message: DaemonMessage): void => {
  if (process.send !== undefined && process.connected) process.send(message);
};

async function main(): Promise<void> {
  const [state, optionsText, snapshotFile] = process.argv.slice(2);
  if (state === undefined || optionsText === undefined) throw new Error('daemon needs a state folder and options');
  const options = JSON.parse(optionsText) as LabOptions;
  const snapshot = snapshotFile === undefined ? undefined : await readSnapshot(snapshotFile);
  if (snapshot !== undefined) await unpackFiles(state, snapshot.files);
  // Whoever started it has gone before it was up: nobody would find it again.
  const abandoned = (): never => process.exit(1);
  process.once('disconnect', abandoned);
  const world = await startWorld({
    ...options,
    state,
    clock: systemClock,
    random: systemRandom,
    env: process.env,
    progress: (text) => tell({ kind: 'progress', text }),
    // Of this very version, as readSnapshot has seen.
    ...(snapshot && { restored: { manifest: snapshot.manifest, world: snapshot.world as WorldState } }),
  });

  let ending: Promise<void> | undefined;
  const end = (code: number): Promise<void> => {
    ending ??= (async () => {
      await control.close();
      await world.close();
      process.exit(code);
    })();
    return ending;
  };
  const token = randomBytes(24).toString('hex');
  const control = await startControl(world, {
    at:
      options.fabric === 'netns'
        ? { socket: path.join('.', CONTROL_SOCKET) }
        : { address: world.serviceAddress, port: CONTROL_PORT },
    token,
    // After the answer is out.
    onDown: () => setImmediate(() => void end(0)),
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void end(0));
  process.on('SIGHUP', () => {});

  const record: LabRecord = {
    pid: process.pid,
    startTime: (await startTimeOf(process.pid)) ?? '',
    control: { url: control.url, token, ...(options.fabric === 'netns' ? { socket: CONTROL_SOCKET } : {}) },
  };
  await writeAtomic(path.join(state, 'lab.json'), `${JSON.stringify(record)}\n`, 0o600);
  process.off('disconnect', abandoned);
  tell({ kind: 'ready' });
  if (process.connected) process.disconnect();
}

main().catch((error: unknown) => {
  console.error(error);
  const failure =
    error instanceof Failure
      ? error
      : new Failure({
          code: 'lab-start',
          what: 'The lab did not start',
          why: textOf(error),
          state: 'Nothing of it is left running.',
          next: 'See lab.log in the state folder.',
        });
  tell({ kind: 'failed', failure: failure.toJSON() });
  // Its children die with it.
  setTimeout(() => process.exit(1), 50);
});
