import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import path from 'node:path';
import { EXIT, Failure } from '../../src/base/failure.ts';
import { withSbin } from '../fabric/netns/commands.ts';
import { findLab } from './client.ts';
import type { LabInfo } from './info.ts';
import { LAB_VARIABLE } from './places.ts';

export interface ExecSpec {
  /** The lab's folder. */
  readonly state: string;
  /** `client`, or the name of a node. */
  readonly from: string;
  readonly command: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Ends the command. */
  readonly signal: AbortSignal;
}

/** Mounts the lab's resolv.conf over the system's for this command alone, goes back to where the user stood, and becomes the command. */
const ENTER =
  'mount --bind "$1" /etc/resolv.conf || echo "lab exec: names are looked up as outside the lab" >&2; cd "$2"; shift 2; exec "$@"';

/**
 * Runs a command inside the network of a lab, with this process' own stdin, stdout and stderr; resolves with its exit
 * code (128 + number when a signal ended it). Failure when there is no such place.
 */
export async function execInside(spec: ExecSpec): Promise<number> {
  const lab = await findLab(spec.state);
  const info = await lab.info();
  const [program = '', ...args] = spec.command;
  if (info.fabric === 'loopback') {
    // Its addresses are this computer's own: a client needs nothing. A node has no place of its own to run things in.
    if (spec.from !== 'client') throw noPlace(spec.from, info);
    return await ran(program, args, spec);
  }
  const { pid, file } = await lab.place(spec.from);
  if (file === undefined) throw noPlace(spec.from, info);
  const resolver = path.join(spec.state, 'resolv.conf');
  await writeFile(resolver, resolvConf(info), { mode: 0o644 });
  // The namespace's file is mounted where only the lab's process sees it; /proc leads there.
  const net = `--net=/proc/${pid}/root${file}`;
  const user = process.getuid?.() === 0 ? [] : [`--user=/proc/${pid}/ns/user`, '--preserve-credentials'];
  const own = ['unshare', '--mount', 'sh', '-c', ENTER, 'sh', resolver, spec.cwd];
  return await ran('nsenter', [...user, net, ...own, program, ...args], spec);
}

async function ran(program: string, args: readonly string[], spec: ExecSpec): Promise<number> {
  const child = spawn(program, args, {
    stdio: 'inherit',
    cwd: spec.cwd,
    env: { ...withSbin(spec.env), [LAB_VARIABLE]: spec.state },
  });
  const end = (): void => void child.kill('SIGTERM');
  spec.signal.addEventListener('abort', end, { once: true });
  const [code, signal] = (await once(child, 'exit').catch((error: unknown) => {
    throw notRun(program, error);
  })) as [number | null, NodeJS.Signals | null];
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}

/** The lab's own name server where it has one at the port that resolvers ask. */
const resolvConf = (info: LabInfo): string => {
  const dns: unknown = info.dns;
  const address = typeof dns === 'object' && dns !== null && 'address' in dns ? String(dns.address) : undefined;
  return address === undefined
    ? '# This lab has no name server.\n'
    : `nameserver ${address}\noptions timeout:1 attempts:2\n`;
};

const notRun = (program: string, error: unknown): Failure =>
  new Failure({
    code: 'lab-exec',
    what: `${program} could not be run`,
    why: error instanceof Error ? error.message : String(error),
    state: 'The lab runs on as it did.',
    next: 'Check the name of the program, and that it is on PATH.',
    cause: error,
  });

const noPlace = (from: string, info: LabInfo): Failure =>
  new Failure({
    code: 'lab-place',
    exit: EXIT.usage,
    what: `There is no place ${from} to run a command in`,
    why:
      info.fabric === 'loopback'
        ? 'the nodes of a lab on the loopback fabric have no network of their own; there is only client'
        : `this lab has client, ${info.nodes.map((n) => n.name).join(', ')}`,
    state: 'Nothing was run.',
    next:
      info.fabric === 'loopback'
        ? 'Use --from client, or a lab of `fairlead lab up --fabric netns`.'
        : 'Name one of those with --from.',
  });
