import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { giveStableAddress } from '../../lab/world/incidents/stable-address.ts';
import { incidentWorld, type IncidentWorld, INCIDENTS, leavesTraces } from './harness.ts';

/** One world for all that can be mended: mended, nothing of them is left. */
const here = INCIDENTS.filter(
  (incident) => !leavesTraces(incident) && incident.world.controlPlanes === 3 && incident.versions.talos === 'v1.13.9',
);

let lab: IncidentWorld;
beforeAll(async () => {
  lab = await incidentWorld(3, 1);
}, 60_000);
afterAll(() => lab?.close());

describe.each(['node', 'stable-address'] as const)('where the endpoint is a %s', (endpoint) => {
  beforeAll(async () => {
    if (endpoint === 'stable-address') await giveStableAddress(lab.world.incidents);
    await lab.keep();
  }, 60_000);

  afterEach(async () => {
    await lab.mend();
    expect(await lab.world.check()).toEqual([]);
  }, 60_000);

  test.each(here.filter(({ world }) => world.endpoint === endpoint))(
    '$name: what was seen then is there to be seen',
    async (incident) => {
      const { facts, steps } = await lab.run(incident);
      expect(steps.length).toBeGreaterThan(0);
      expect(facts.filter(({ holds }) => !holds)).toEqual([]);
    },
    60_000,
  );
});
