import { expect, test } from 'vitest';
import { finished, IP, pinned } from '../model/observation.testing.ts';
import { queueChecks } from './election-queue.ts';

const entry = (name: string, lease: string, ip = IP) => ({ key: `talos:v1:vip:election:${ip}/${lease}`, value: name });
const verdicts = (...args: Parameters<typeof queueChecks>): string[] =>
  queueChecks(...args).map((check) => check.verdict);

test('control planes with the VIP may wait, each once; the queue of another address is not looked at', () => {
  const queue = [entry('cp-2', 'a1'), entry('cp-1', 'a2'), entry('stranger', 'a3', '198.51.100.99')];
  expect(verdicts(finished(), IP, queue)).toEqual(['open', 'open']);
  expect(verdicts(pinned(), IP, [])).toEqual(['open', 'open']);
});

test('a node that is no more, one without the VIP, and one that waits twice close the gate', () => {
  expect(verdicts(finished(), IP, [entry('cp-9', 'a1')])).toEqual(['closed', 'open']);
  expect(verdicts(pinned(), IP, [entry('cp-1', 'a1')])).toEqual(['closed', 'open']);
  expect(verdicts(finished(), IP, [entry('cp-1', 'a1'), entry('cp-1', 'a2')])).toEqual(['closed', 'open']);
});

test('an upgrade that holds Talos’ lock closes it, and what could not be looked through is not judged open', () => {
  expect(verdicts(finished(), IP, [{ key: 'talos:v1:etcdUpgradeMutex/1', value: '' }])).toEqual(['open', 'closed']);
  expect(verdicts(finished(), IP, undefined)).toEqual(['unknown', 'unknown']);
});
