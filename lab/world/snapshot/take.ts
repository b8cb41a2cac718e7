import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Clock } from '../../../src/base/clock.ts';
import { EXIT, Failure } from '../../../src/base/failure.ts';
import type { Cloud } from '../../cloud/types.ts';
import type { Parts } from '../../kubernetes/types.ts';
import type { LabOptions } from '../info.ts';
import type { Machine, Machines } from '../machines.ts';
import { type KeptFile, writeSnapshot } from './archive.ts';
import { collectFiles } from './files.ts';
import type { KeptMachine, WorldState } from './state.ts';

export interface SnapshotPorts {
  readonly clock: Clock;
  readonly options: LabOptions;
  /** The lab's folder. */
  readonly state: string;
  readonly parts: Parts;
  readonly machines: Machines;
  readonly cloud: Cloud;
  /** The rest of the world's state, as it is at this moment. */
  readonly rest: () => Omit<WorldState, 'machines' | 'project' | 'gone' | 'etcd' | 'state'>;
}

export interface SnapshotReport {
  readonly file: string;
  readonly takenAt: string;
  readonly bytes: number;
}

/** How long actions and boots that are under way are waited for. */
const QUIET_MS = 30_000;

/**
 * Writes the whole world into one file. All of it is of one moment: actions, boots and joins that are under way are
 * waited for, real etcd members stand still (SIGSTOP) for the fraction of a second in which their files are read.
 */
export async function takeSnapshot(ports: SnapshotPorts, file: string): Promise<SnapshotReport> {
  const { state, machines, options, parts } = ports;
  const relative = path.relative(state, path.resolve(file));
  if (relative === '' || !(relative.startsWith('..') || path.isAbsolute(relative)))
    throw refused(
      `${file} lies in the lab's own folder, which \`fairlead lab down\` removes`,
      'Name a file elsewhere.',
    );
  await untilQuiet(ports);
  const taken = inOneMoment(ports);
  const takenAt = ports.clock.wall().toISOString();
  const { base } = taken.world.fabric;
  await writeSnapshot(file, {
    manifest: {
      takenAt,
      name: taken.world.name,
      options,
      parts: { etcd: parts.etcd.backing, kubeApiserver: parts.kubeApiserver.backing },
      ...(base === undefined ? {} : { base }),
    },
    ...taken,
  });
  return { file, takenAt, bytes: taken.files.reduce((sum, { content }) => sum + content.byteLength, 0) };

  /** Without a turn of the event loop in between. */
  function inOneMoment({ cloud, rest }: SnapshotPorts): { world: WorldState; files: KeptFile[] } {
    const etcd = parts.etcd.save?.();
    const stopped = machines.all().flatMap((machine) => {
      const pid = machine.node.info().etcd?.pid;
      return pid !== undefined && !isStopped(pid) && signalled(pid, 'SIGSTOP') ? [pid] : [];
    });
    try {
      const world: WorldState = {
        ...rest(),
        state,
        project: cloud.save(),
        machines: machines.all().map(keptMachine),
        gone: machines.gone,
        ...(etcd === undefined ? {} : { etcd }),
      };
      // Copied: what follows is written while the world goes on.
      return { world: structuredClone(world), files: collectFiles(state) };
    } finally {
      for (const pid of stopped) signalled(pid, 'SIGCONT');
    }
  }
}

function keptMachine({ server, node }: Machine): KeptMachine {
  const kept = node.keep();
  if (kept === undefined) throw new Error(`${server.name} is on its way from one stage to another`);
  return { server, node: kept, ready: node.info().ready };
}

async function untilQuiet({ clock, cloud, machines }: SnapshotPorts): Promise<void> {
  const deadline = clock.now() + QUIET_MS;
  for (;;) {
    await cloud.quiet(AbortSignal.timeout(Math.max(1, Math.ceil(deadline - clock.now())))).catch(() => {
      throw refused(
        'an action of the cloud is still running',
        'Wait until it has ended: see `hcloud` or `fairlead lab requests`.',
      );
    });
    const moving = machines.all().filter(({ node }) => node.keep() === undefined);
    if (moving.length === 0) return;
    if (clock.now() > deadline) {
      const names = moving.map(({ server, node }) => `${server.name} (${node.info().stage})`).join(', ');
      throw refused(`not at rest after ${QUIET_MS / 1000} s: ${names}`, 'Wait for it, power it off, or delete it.');
    }
    await clock.sleep(25);
  }
}

function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat[stat.lastIndexOf(')') + 2] === 'T';
  } catch {
    return true;
  }
}

/** false: it has ended. */
function signalled(pid: number, signal: 'SIGSTOP' | 'SIGCONT'): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

const refused = (why: string, next: string): Failure =>
  new Failure({
    code: 'lab-snapshot-refused',
    exit: EXIT.refused,
    what: 'No snapshot was taken',
    why,
    state: 'The lab runs on as it is.',
    next,
  });
