import process from 'node:process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DEFAULT_KNOBS, type Delay } from '../../lab/cloud/knobs.ts';
import { testCloud } from '../../lab/cloud/testing.ts';
import { COMMANDS, type Real } from './commands.ts';
import { createManualClock } from './manual-clock.ts';
import { DELAYS, ProjectModel, QUOTAS, RATE } from './project-model.ts';

const seed = Number(process.env['FAIRLEAD_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env['FAIRLEAD_MODEL_RUNS'] ?? 60);
const exactly = (ms: number): Delay => [ms, ms];

/** A cloud whose time is ours, with three servers that were there before. */
async function setup(): Promise<{ model: ProjectModel; real: Real }> {
  const clock = createManualClock();
  const routes = new Map<number, number | null>();
  const cloud = await testCloud({
    clock,
    speed: 1,
    knobs: {
      delays: {
        ...DEFAULT_KNOBS.delays,
        ...Object.fromEntries(Object.entries(DELAYS).map(([name, ms]) => [name, exactly(ms)])),
      },
      quotas: { ...DEFAULT_KNOBS.quotas, ...QUOTAS },
      rateLimit: RATE,
    },
    effects: { routed: async (fip, server) => void routes.set(fip.id, server?.id ?? null) },
  });
  const model = new ProjectModel();
  for (let i = 1; i <= 3; i += 1) {
    const { id, name } = cloud.cloud.addServer({ name: `cp-${i}`, labels: {}, userData: '' });
    model.servers.set(id, { name, protected: false, status: 'running' });
    model.everServers.push(id);
  }
  return { model, real: { cloud, clock, routes } };
}

test(
  `whatever is asked of the cloud in whatever order, it does what a project does (FAIRLEAD_SEED=${seed})`,
  { timeout: 120_000 },
  async () => {
    const property = fc.asyncProperty(fc.commands(COMMANDS, { maxCommands: 80, size: 'max' }), async (commands) => {
      const made = await setup();
      try {
        await fc.asyncModelRun(() => made, commands);
        // In the end all that was started has ended, and the budget is full again.
        made.model.advance(600_000);
        await made.real.clock.advance(600_000);
        for (const [id, status] of made.model.actions) expect({ id, status }).toEqual({ id, status: 'success' });
        const last = await made.real.cloud.call('GET', '/locations');
        expect(last.headers.get('ratelimit-remaining')).toBe(String(RATE.capacity - 1));
      } finally {
        await made.real.cloud.cloud.close();
      }
    });
    // Shrinking ends in time, with the shortest story found so far.
    await fc.assert(property, { seed, numRuns: RUNS, interruptAfterTimeLimit: 45_000 });
  },
);
