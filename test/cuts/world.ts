import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { findLab, type LabClient } from '../../lab/world/client.ts';
import type { LabInfo, LabOptions } from '../../lab/world/info.ts';
import { fairlead, fairleadJson } from '../e2e/harness.ts';

export type Start = 'fresh' | 'endpoint-dead' | 'half-done' | 'converged';

/** One kind of world that a change may meet. */
export interface Variant {
  readonly talos: LabOptions['talos'];
  readonly endpoint: 'ip' | 'name';
  readonly start: Start;
  readonly parts: 'built-in' | 'real';
  readonly workers: number;
}

export const nameOf = ({ talos, endpoint, start, parts }: Variant): string => `${talos} ${endpoint} ${start} ${parts}`;

/** A lab that is brought to the start of a variant once, and back to it as often as wanted. */
export interface CutWorld extends AsyncDisposable {
  readonly folder: string;
  lab(): Promise<LabClient>;
  /** Back to the start. */
  restore(): Promise<void>;
}

const SPEED = '30';
const running = new Set<() => Promise<void>>();

/** Ends every world that is still there: a program that is told to stop leaves no lab behind. */
export const endWorlds = async (): Promise<void> => void (await Promise.all([...running].map((end) => end())));

export async function worldOf(variant: Variant): Promise<CutWorld> {
  const top = await mkdtemp(path.join(os.tmpdir(), 'fairlead-cuts-'));
  const folder = path.join(top, 'lab');
  const snapshot = path.join(top, 'start.tgz');
  const end = async (): Promise<void> => {
    running.delete(end);
    await fairlead(['lab', 'down', '--state', folder]);
    await rm(top, { recursive: true, force: true });
  };
  running.add(end);
  try {
    await must(
      'lab',
      'up',
      `--state=${folder}`,
      `--speed=${SPEED}`,
      `--parts=${variant.parts}`,
      `--talos=${variant.talos}`,
      `--workers=${variant.workers}`,
    );
    await bringTo(variant, folder);
    await must('lab', 'snapshot', snapshot, '--state', folder);
  } catch (error) {
    await end();
    throw error;
  }
  return {
    folder,
    lab: () => findLab(folder),
    restore: () => must('lab', 'restore', snapshot, '--state', folder),
    [Symbol.asyncDispose]: end,
  };
}

export async function must(...args: readonly string[]): Promise<void> {
  const ran = await fairlead(args);
  if (ran.code !== 0)
    throw new Error(`fairlead ${args.join(' ')} ended with ${ran.code}\n${ran.stderr}\n${ran.stdout}`);
}

async function bringTo(variant: Variant, folder: string): Promise<void> {
  const info = await fairleadJson<LabInfo>(['lab', 'info', '--state', folder]);
  const config = path.join(folder, 'fairlead.yaml');
  if (variant.endpoint === 'name') await nameTheEndpoint(info, config);
  switch (variant.start) {
    case 'fresh':
      return;
    case 'endpoint-dead':
      return must('lab', 'node', 'replace', info.nodes[0]?.name ?? '', '--state', folder);
    case 'half-done':
      return halfByHand(info);
    case 'converged':
      // On a busy machine a gate may be closed for a moment.
      return must('apply', '--yes', '--config', config).catch(() => must('apply', '--yes', '--config', config));
  }
}

async function cloud(info: LabInfo, method: string, where: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${info.hetzner.endpoint}${where}`, {
    method,
    headers: { authorization: `Bearer ${info.hetzner.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${where}: ${response.status} ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}

/** Somebody reserved the address under its name, led it to a node by hand, and did not protect it. */
async function halfByHand(info: LabInfo): Promise<void> {
  await cloud(info, 'POST', '/floating_ips', {
    type: 'ipv4',
    home_location: 'fsn1',
    name: `${info.name}-api`,
    labels: { 'fairlead.dev/cluster': info.name },
    server: info.nodes[1]?.serverId,
  });
}

/** A name as endpoint, with the record that a person would make, and the name server that knows it. */
async function nameTheEndpoint(info: LabInfo, config: string): Promise<void> {
  const made = await cloud(info, 'POST', '/floating_ips', {
    type: 'ipv4',
    home_location: 'fsn1',
    name: `${info.name}-api`,
    labels: { 'fairlead.dev/cluster': info.name },
  });
  const { ip } = made['floating_ip'] as { ip: string };
  await cloud(info, 'POST', '/zones', {
    name: 'example.com',
    mode: 'primary',
    rrsets: [{ name: 'api', type: 'A', records: [{ value: ip }] }],
  });
  const text = await readFile(config, 'utf8');
  await writeFile(
    config,
    `${text.replace('endpoint:\n', 'endpoint:\n  host: api.example.com\n')}resolvers:\n  - ${info.dns.address}:${info.dns.port}\n`,
  );
}
