import { expect, test } from 'vitest';
import { incidentWorld, INCIDENTS, leavesTraces } from './harness.ts';

const here = INCIDENTS.filter(
  (incident) => leavesTraces(incident) || incident.world.controlPlanes !== 3 || incident.versions.talos !== 'v1.13.9',
);

// One after the other: a world keeps a core busy while it comes up.
test.each(here)(
  '$name: what was seen then is there to be seen, in a world of its own',
  async (incident) => {
    const lab = await incidentWorld(incident.world.controlPlanes, incident.world.workers);
    try {
      const { facts } = await lab.run(incident);
      expect(facts.filter(({ holds }) => !holds)).toEqual([]);
      expect(await lab.world.check()).toEqual([]);
    } finally {
      await lab.close();
    }
  },
  60_000,
);
