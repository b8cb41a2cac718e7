import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { type HostFacts, HOST_PORTS, wantedState } from './ports.ts';

const ADDRESS = '127.64.1.1';
const host: fc.Arbitrary<HostFacts> = fc.record({
  hidden: fc.constant('127.64.200.1'),
  condition: fc.constantFrom('up', 'off', 'hung', 'refusing'),
  claimed: fc.constantFrom(new Set<string>(), new Set([ADDRESS])),
  open: fc.subarray([...HOST_PORTS, 8443]).map((ports) => new Set(ports)),
  others: fc.constantFrom(new Set<number>(), new Set([8443])),
});

describe('what an address does', () => {
  test.prop([host])('is silent exactly when its machine is off or does not claim it', (facts) => {
    const silent = facts.condition === 'off' || !facts.claimed.has(ADDRESS);
    expect(wantedState(ADDRESS, facts).kind).toBe(silent ? 'silent' : 'alive');
  });

  test.prop([host])(
    'forwards open ports of a machine that is up, hangs on all of a hung one, refuses the rest',
    (facts) => {
      const state = wantedState(ADDRESS, facts);
      if (state.kind === 'silent') return;
      for (const port of [...HOST_PORTS, ...facts.others]) {
        const forwards = facts.condition === 'up' && facts.open.has(port);
        const wanted = forwards
          ? { kind: 'forward', hidden: facts.hidden }
          : facts.condition === 'hung'
            ? { kind: 'hang' }
            : undefined;
        expect(state.ports.get(port)).toEqual(wanted);
      }
    },
  );

  test('is silence where the cloud leads it nowhere', () => {
    expect(wantedState(ADDRESS, undefined)).toEqual({ kind: 'silent' });
  });
});
