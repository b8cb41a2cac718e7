import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { accepts, type CheckResult, type HealthState, judge, UNKNOWN } from './health.ts';

const passed: CheckResult = { kind: 'passed' };
const failed: CheckResult = { kind: 'failed', detail: 'layer4_timeout' };
const rules = { retries: 3, successesFromUnknown: 1 };
const after = (results: readonly CheckResult[], from: HealthState = UNKNOWN, by = rules): string =>
  results.reduce((state, result) => judge(state, result, by), from).health.status;
const looks = fc.array(fc.constantFrom(passed, failed), { maxLength: 40 });
const rulesOf = fc.record({
  retries: fc.integer({ min: 1, max: 5 }),
  successesFromUnknown: fc.integer({ min: 1, max: 3 }),
});

describe('the health of a target', () => {
  test('is unknown before the first look, and healthy after the first success (guess)', () => {
    expect(after([])).toBe('unknown');
    expect(after([passed])).toBe('healthy');
    expect(after([failed, failed])).toBe('unknown');
    expect(after([failed, failed, failed])).toBe('unhealthy');
  });

  test('falls after `retries` failures in a row and comes back after as many successes', () => {
    expect(after([passed, failed, failed, passed, failed, failed])).toBe('healthy');
    expect(after([passed, failed, failed, failed])).toBe('unhealthy');
    expect(after([passed, failed, failed, failed, passed, passed, failed, passed, passed])).toBe('unhealthy');
    expect(after([passed, failed, failed, failed, passed, passed, passed])).toBe('healthy');
  });

  test('says why it fell, and follows the cause while it lasts', () => {
    const code: CheckResult = { kind: 'failed', detail: 'unexpected_http_status', httpStatusCode: 500 };
    const down = [failed, failed, failed].reduce((state, result) => judge(state, result, rules), UNKNOWN);
    expect(down.health).toEqual({ status: 'unhealthy', detail: 'layer4_timeout' });
    expect(judge(down, code, rules).health).toEqual({
      status: 'unhealthy',
      detail: 'unexpected_http_status',
      httpStatusCode: 500,
    });
  });

  test.prop([looks, rulesOf])('changes only in a row of looks that all say the same', (results, by) => {
    let state: HealthState = UNKNOWN;
    for (const [n, result] of results.entries()) {
      const next = judge(state, result, by);
      if (next.health.status !== state.health.status) {
        const needed =
          state.health.status === 'unknown' && result.kind === 'passed' ? by.successesFromUnknown : by.retries;
        const row = results.slice(n + 1 - needed, n + 1);
        expect(row).toHaveLength(needed);
        expect(new Set(row.map((r) => r.kind))).toEqual(new Set([result.kind]));
        expect(next.health.status).toBe(result.kind === 'passed' ? 'healthy' : 'unhealthy');
      }
      state = next;
    }
  });

  test.prop([looks, rulesOf, fc.constantFrom(passed, failed)])(
    'is always decided by enough looks that say the same, whatever came before',
    (results, by, last) => {
      const row = Array.from({ length: Math.max(by.retries, by.successesFromUnknown) }, () => last);
      expect(after([...results, ...row], UNKNOWN, by)).toBe(last.kind === 'passed' ? 'healthy' : 'unhealthy');
    },
  );

  test.prop([fc.integer({ min: 100, max: 599 })])(
    'accepted codes: 2?? is every 2xx, 4* every 4xx, 401 itself',
    (code) => {
      const hundreds = Math.floor(code / 100);
      expect(accepts(['2??', '3??'], code)).toBe(hundreds === 2 || hundreds === 3);
      expect(accepts(['4*'], code)).toBe(hundreds === 4);
      expect(accepts(['401'], code)).toBe(code === 401);
      expect(accepts([], code)).toBe(false);
      expect(accepts(['*'], code)).toBe(true);
      expect(accepts(['2.0', '20'], code)).toBe(false);
    },
  );
});
