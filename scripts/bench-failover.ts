#!/usr/bin/env node
import process from 'node:process';
import { parseArgs } from 'node:util';
import { builtInEtcd } from '../lab/kubernetes/etcd/built-in/part.ts';
import { findEtcd } from '../lab/kubernetes/etcd/find.ts';
import { realEtcd } from '../lab/kubernetes/etcd/real.ts';
import type { EtcdPart } from '../lab/kubernetes/types.ts';
import { systemClock } from '../src/base/clock.ts';
import { systemRandom } from '../src/base/random.ts';
import { startStage, type Stage } from '../test/goldens/talos-vip/stage.ts';

/**
 * `npm run bench:failover -- --speed 1`: how long the shared IP's operator takes to move the address, beside what Talos'
 * own operator took on the same events. The cases run side by side, each with an etcd and a cloud of its own.
 */
interface Case {
  readonly name: string;
  /** What Talos' own code was seen to take at speed 1: from, to, in seconds; several where it has several values. */
  readonly talos: readonly (readonly [number, number])[];
  /** Seconds that `--speed` does not divide: an etcd election, and what etcd itself waits for. */
  readonly fixed: number;
  readonly run: (stage: Stage, speed: number) => Promise<number>;
}

const TOLERANCE = 0.1;
/** Shorter than this nothing is told apart on a busy machine. */
const NOISE_S = 0.05;
const LIMIT_MS = 200_000;

const holderOf = (stage: Stage): string => [...stage.holders][0] ?? '';
const memberOf = (stage: Stage, name: string) => {
  const found = stage.members.find((member) => member.name === name);
  if (found === undefined) throw new Error(`no member ${name}`);
  return found;
};

/** Three operators; the first one holds. Waits a little, as a cluster in life does, so that leases are between renewals. */
async function settle(stage: Stage, leader: boolean, speed: number) {
  const operators = new Map<string, ReturnType<Stage['start']>>();
  operators.set('cp-1', stage.start('cp-1'));
  await stage.until('the first one holds', () => stage.holders.has('cp-1'), 20_000);
  for (const name of ['cp-2', 'cp-3']) {
    operators.set(name, stage.start(name));
    await systemClock.sleep(100);
  }
  const lead = await stage.harness.leader(memberOf(stage, 'cp-1'));
  const wanted = memberOf(stage, leader ? 'cp-1' : 'cp-2');
  if ((lead.name === 'cp-1') !== leader) await lead.client.moveLeader(await stage.harness.idOf(wanted));
  // A new leader gives every lease its whole time anew: the kill comes after the next renewals.
  await systemClock.sleep((22_000 + systemRandom.next() * 8_000) / speed);
  return operators;
}

async function powerOff(stage: Stage, leader: boolean, speed: number): Promise<number> {
  const operators = await settle(stage, leader, speed);
  const holder = holderOf(stage);
  const began = systemClock.now();
  operators.get(holder)?.kill();
  await stage.harness.kill(memberOf(stage, holder));
  await stage.until('another one holds', () => [...stage.holders].some((name) => name !== holder), LIMIT_MS);
  return (systemClock.now() - began) / 1000;
}

async function planned(stage: Stage, speed: number): Promise<number> {
  const operators = await settle(stage, false, speed);
  const holder = holderOf(stage);
  const began = systemClock.now();
  const stopped = operators.get(holder)?.stop('graceful');
  await stage.until('another one holds', () => [...stage.holders].some((name) => name !== holder), LIMIT_MS);
  const seconds = (systemClock.now() - began) / 1000;
  await stopped;
  return seconds;
}

const others = (stage: Stage, name: string) => stage.members.filter((member) => member.name !== name);

async function quorum(stage: Stage, speed: number): Promise<{ readonly dropped: number; readonly back: number }> {
  await settle(stage, false, speed);
  const holder = holderOf(stage);
  const began = systemClock.now();
  for (const member of others(stage, holder)) await stage.harness.kill(member);
  await stage.until('it lets go', () => stage.holders.size === 0, LIMIT_MS);
  const dropped = (systemClock.now() - began) / 1000;
  await systemClock.sleep(10_000 / speed);
  const returned = systemClock.now();
  await Promise.all(
    others(stage, holder).map((member) => stage.harness.start(member, stage.members, 'existing', true)),
  );
  await stage.until('one holds again', () => stage.holders.size > 0, LIMIT_MS);
  return { dropped, back: (systemClock.now() - returned) / 1000 };
}

let quorumRun: Promise<{ readonly dropped: number; readonly back: number }> | undefined;

const CASES: readonly Case[] = [
  {
    name: 'powered off, its etcd member a follower',
    talos: [[44.9, 60.2]],
    fixed: 0,
    run: (stage, speed) => powerOff(stage, false, speed),
  },
  {
    name: 'powered off, its etcd member the leader',
    talos: [[62.1, 63.2]],
    fixed: 2,
    run: (stage, speed) => powerOff(stage, true, speed),
  },
  { name: 'planned (graceful stop)', talos: [[0.01, 0.043]], fixed: 0, run: planned },
  {
    name: 'quorum lost: the holder lets go',
    talos: [[53.7, 55.1]],
    fixed: 0,
    run: async (stage, speed) => (await (quorumRun ??= quorum(stage, speed))).dropped,
  },
  {
    name: 'quorum back: held again',
    talos: [
      [0.9, 1.1],
      [61.4, 61.6],
    ],
    fixed: 1.5,
    run: async (stage, speed) => (await (quorumRun ??= quorum(stage, speed))).back,
  },
];

const within = (seconds: number, { talos, fixed }: Case, speed: number): boolean =>
  talos.some(([from, to]) => {
    const scaled = (value: number): number => (value < 2 ? value : (value - fixed) / speed + fixed);
    return seconds >= scaled(from) * (1 - TOLERANCE) - NOISE_S && seconds <= scaled(to) * (1 + TOLERANCE) + NOISE_S;
  });

async function main(): Promise<number> {
  const { values } = parseArgs({ options: { speed: { type: 'string', default: '1' } } });
  const speed = Number(values.speed);
  if (!(speed >= 1 && speed <= 30)) {
    console.error('bench:failover: --speed is a number from 1 to 30');
    return 2;
  }
  const found = await findEtcd(process.env);
  const part: EtcdPart =
    found === undefined
      ? builtInEtcd({ clock: systemClock, random: systemRandom })
      : realEtcd(found.path, found.version);
  console.log(`etcd: ${found === undefined ? 'built-in' : `real ${found.version}`}; speed ${speed}; seconds`);
  const shared = startStage(part, speed);
  const stages: Promise<Stage>[] = [shared];
  const results = await Promise.all(
    CASES.map(async (item) => {
      const stage = item.name.startsWith('quorum') ? shared : startStage(part, speed);
      if (stage !== shared) stages.push(stage);
      try {
        return { item, seconds: await item.run(await stage, speed) };
      } catch (error) {
        console.error(`${item.name}: ${error instanceof Error ? error.message : String(error)}`);
        return { item, seconds: Number.NaN };
      }
    }),
  );
  for (const stage of stages) await (await stage).close();
  let failed = 0;
  for (const { item, seconds } of results) {
    const well = within(seconds, item, speed);
    if (!well) failed += 1;
    const talos = item.talos.map(([from, to]) => `${from}-${to}`).join(' or ');
    console.log(
      `${well ? 'ok    ' : 'not ok'} ${item.name.padEnd(42)} ours ${seconds.toFixed(3).padStart(8)}   Talos' own ${talos}`,
    );
  }
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
