import { fc, test as property } from '@fast-check/vitest';
import { describe, expect, test } from 'vitest';
import { createActionLog } from './action-log.ts';
import type { Action } from './state.ts';

const resource = fc.record({
  id: fc.integer({ min: 1, max: 2 ** 46 }),
  type: fc.constantFrom(
    'server',
    'floating_ip',
    'network',
    'primary_ip',
    'load_balancer',
    'firewall',
    'certificate',
    'zone',
    'image',
  ),
});
const moment = fc.date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true });
const ended = fc.oneof(
  { weight: 5, arbitrary: fc.constant({ status: 'success' as const, error: null }) },
  fc.constant({ status: 'running' as const, error: null }),
  fc.constant({ status: 'error' as const, error: { code: 'action_failed', message: 'no' } }),
);
const action = fc
  .tuple(
    fc.record({
      command: fc.constantFrom('assign_floating_ip', 'create_server', 'stop_server'),
      progress: fc.constant(100),
      started: moment,
      finished: moment,
      resources: fc.array(resource, { minLength: 1, maxLength: 5 }),
    }),
    ended,
  )
  .map(([facts, end]) => ({
    ...facts,
    ...end,
    ...(end.status === 'running' ? { progress: 0, finished: null } : {}),
  }));

describe('the log of actions', () => {
  property.prop([fc.array(action, { maxLength: 60 }), fc.integer({ min: 1, max: 9 })])(
    'gives back every action as it was, found by id and by resource, however few it keeps as objects',
    (actions, recent) => {
      const log = createActionLog(recent);
      const all: Action[] = actions.map((facts, n) => ({ id: 5 + 3 * n, ...facts }));
      for (const one of all) log.add(one);
      expect(log.size).toBe(all.length);
      for (const one of all) expect(log.get(one.id)).toEqual(one);
      expect(log.get(4)).toBeUndefined();
      for (const { type, id } of all.flatMap(({ resources }) => resources)) {
        const ids = (wanted: (of: Action['resources'][number]) => boolean): number[] =>
          all.filter(({ resources }) => resources.some(wanted)).map((one) => one.id);
        expect(log.matching({ type, id }).map((one) => one.id)).toEqual(ids((of) => of.type === type && of.id === id));
        expect(log.matching({ type }).map((one) => one.id)).toEqual(ids((of) => of.type === type));
      }
    },
  );

  test('an action that still runs when others push it out ends in it all the same', () => {
    const log = createActionLog(1);
    const facts = { command: 'x', started: new Date(), resources: [{ id: 1, type: 'server' as const }] };
    const running: Action = { id: 1, status: 'running', progress: 0, finished: null, error: null, ...facts };
    log.add(running);
    log.add({ ...running, id: 2 });
    running.status = 'success';
    expect(log.get(1)?.status).toBe('success');
  });
});
