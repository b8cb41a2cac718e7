import { describe, expect, it } from 'vitest';
import { builtInEtcd } from '../../lab/kubernetes/etcd/built-in/part.ts';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { findObserved } from './talos-vip/observed.ts';
import { situationsOf } from './talos-vip/situations.ts';
import { startStage } from './talos-vip/stage.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'] ?? '';
/** A part: a release, an alias, a retried and a repeated fault. `npm run test:goldens` plays all. */
const PART = /(graceful_sigterm|alias\/graceful_handover|list_429|assign_423_locked|same_hostname_on_two_nodes|ipv6)$/;

describe.skipIf(goldens === '')("the shared IP asks the cloud what Talos' own operator asked (FAIRLEAD_GOLDENS must name the goldens)", () => {
  const [found] = goldens === '' ? [] : findObserved(goldens);

  it('in the situations of this part', async () => {
    const chosen = situationsOf(found?.observed ?? {}).filter(({ id }) => PART.test(id));
    expect(chosen).toHaveLength(6);
    const stage = await startStage(builtInEtcd({ clock: systemClock, random: systemRandom }), 30);
    try {
      for (const { id, run } of chosen) {
        await stage.clear();
        expect(await run(stage), id).toEqual([]);
      }
    } finally {
      await stage.close();
    }
  }, 60_000);
});
