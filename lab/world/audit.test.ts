import { appendFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createAudit, type NewRecord } from './audit.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-audit-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const request = (n: number): NewRecord => ({
  system: 'hetzner',
  method: 'POST',
  path: `/v1/floating_ips/${n}/actions/assign`,
  write: true,
  status: 201,
  ms: 3,
  by: `a client with a rather long name, ${n}`,
});

/** Bytes that are in use after all garbage is gone. */
function heap(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  return process.memoryUsage().heapUsed;
}

async function recorded(file: string, count: number, kept: number) {
  const audit = createAudit(file, () => new Date(), kept);
  for (let n = 1; n <= count; n += 1) {
    audit.record(request(n));
    // As requests come: the disk has its turn between them.
    if (n % 500 === 0) await sleep(1);
  }
  await untilWritten(file, count);
  return audit;
}

async function untilWritten(file: string, count: number): Promise<void> {
  for (const deadline = performance.now() + 10_000; performance.now() < deadline; await sleep(10))
    if ((await readFile(file, 'utf8').catch(() => '')).split('\n').length > count) return;
  throw new Error(`${file} never had ${count} records`);
}

test('memory stays flat however many requests there were, and none of them is lost', async () => {
  const file = path.join(folder, 'requests.jsonl');
  await recorded(path.join(folder, 'warm'), 5_000, 100);
  const before = heap();
  const audit = await recorded(file, 60_000, 100);
  // A record takes about 300 bytes of memory: kept, these would be 18 MB.
  expect((heap() - before) / 60_000).toBeLessThan(30);
  expect(audit.mark).toBe(60_000);
  const all = await audit.history();
  expect(all.length).toBe(60_000);
  expect(all.every(({ seq, path: of }, n) => seq === n + 1 && of === request(seq).path)).toBe(true);
  expect((await audit.history('59990')).map(({ seq }) => seq)).toEqual([...audit.since('59990')].map(({ seq }) => seq));
  expect((await audit.history('12')).length).toBe(60_000 - 12);
});

test('what memory no longer has is told, not left out', async () => {
  const audit = await recorded(path.join(folder, 'requests.jsonl'), 5_000, 50);
  await sleep(5);
  expect(() => audit.since()).toThrow('stand in the file only');
  expect(() => audit.since('10')).toThrow(RangeError);
  expect(() => audit.since('2026-01-01T00:00:00Z')).toThrow(RangeError);
  expect(audit.since('4990').map(({ seq }) => seq)).toEqual([...Array(10).keys()].map((n) => 4_991 + n));
  expect((await audit.history('2026-01-01T00:00:00Z')).length).toBe(5_000);
  expect(await audit.history('2199-01-01T00:00:00Z')).toEqual([]);
});

test('a folder that cannot be written loses nothing: all stays in memory until it can, and a cut line is passed over', async () => {
  const file = path.join(folder, 'later', 'requests.jsonl');
  const audit = createAudit(file, () => new Date(), 10);
  for (let n = 1; n <= 200; n += 1) audit.record(request(n));
  await sleep(20);
  expect(audit.since().length).toBe(200);
  await mkdir(path.dirname(file));
  await appendFile(file, '{"seq":1,"sys');
  for (let n = 201; n <= 400; n += 1) audit.record(request(n));
  await untilWritten(file, 400);
  await sleep(5);
  expect(() => audit.since()).toThrow(RangeError);
  expect((await audit.history()).map(({ seq }) => seq)).toEqual([...Array(400).keys()].map((n) => n + 1));
});

test('without a file all of it stays in memory', async () => {
  const audit = createAudit(undefined, () => new Date(), 10);
  for (let n = 1; n <= 100; n += 1) audit.record(request(n));
  expect(audit.since().length).toBe(100);
  expect(await audit.history('40')).toEqual(audit.since('40'));
});
