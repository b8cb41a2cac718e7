import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { listIncidents } from '../../lab/world/incidents/catalogue.ts';
import { callCloud } from '../../lab/world/incidents/ports.ts';
import { runIncident } from '../../lab/world/incidents/run.ts';
import type { Incident, IncidentReport } from '../../lab/world/incidents/types.ts';
import { startWorld, type World } from '../../lab/world/world.ts';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { waitFor } from '../../src/base/retry.ts';

export interface IncidentWorld {
  readonly world: World;
  readonly state: string;
  run(incident: Incident): Promise<IncidentReport>;
  /** Keeps what is there now, for `mend`. */
  keep(): Promise<void>;
  /** Undoes what incidents do that deletes no server. */
  mend(): Promise<void>;
  close(): Promise<void>;
}

const FILES = ['kubeconfig', 'talosconfig'];

/** What deletes or makes servers cannot be undone: such an incident has a world of its own. */
export const leavesTraces = (incident: Incident): boolean =>
  /"verb":"(?:delete|replace|recreate)"/.test(JSON.stringify(incident));

/** A lab of built-in parts inside the test, as an incident wants it. */
export async function incidentWorld(controlPlanes: number, workers: number): Promise<IncidentWorld> {
  const state = await mkdtemp(path.join(os.tmpdir(), 'fairlead-incident-'));
  const clock = systemClock;
  const world = await startWorld({
    fabric: 'loopback',
    parts: 'built-in',
    controlPlanes,
    workers,
    talos: 'v1.13.9',
    hetznerEra: 'from-2026-10',
    speed: 20,
    state,
    clock,
    random: systemRandom,
    env: {},
    progress: () => {},
  });
  let kept: ReadonlyMap<string, string> = new Map();
  let addresses: readonly number[] = [];
  const call = (method: string, where: string, body?: unknown) => callCloud(world.incidents, method, where, body);
  const until = async (holds: () => boolean): Promise<void> => {
    const reached = await waitFor(clock, { everyMs: 50, timeoutMs: 20_000 }, async () => (holds() ? true : undefined));
    if (reached === undefined) throw new Error(`not mended: ${JSON.stringify(world.info(), null, 1)}`);
  };
  return {
    world,
    state,
    run: (incident) => runIncident(incident, world.incidents),
    async keep() {
      const texts = await Promise.all(FILES.map((file) => readFile(path.join(state, file), 'utf8')));
      kept = new Map(FILES.map((file, i) => [file, texts[i] ?? '']));
      addresses = world.info().floatingIPs.map(({ id }) => id);
    },
    async mend() {
      await world.faults.registry.clear();
      for (const [file, text] of kept) await writeFile(path.join(state, file), text);
      for (const { name, power } of world.info().nodes) if (power === 'off') await world.operate(name, 'power-on');
      for (const { id, assignedTo, claimedBy } of world.info().floatingIPs) {
        if (!addresses.includes(id)) {
          if (assignedTo !== null) await call('POST', `/floating_ips/${id}/actions/unassign`, {});
          await until(() => world.info().floatingIPs.every((fip) => fip.id !== id || fip.assignedTo === null));
          await call('DELETE', `/floating_ips/${id}`);
        } else if (assignedTo === null || !claimedBy.includes(assignedTo)) {
          // As a person would: to where the nodes have it.
          await until(() => world.info().floatingIPs.some((fip) => fip.id === id && fip.claimedBy.length > 0));
          const now = world.info().floatingIPs.find((fip) => fip.id === id);
          const server = world.info().nodes.find(({ name }) => name === now?.claimedBy[0])?.serverId;
          if (now?.assignedTo !== now?.claimedBy[0])
            await call('POST', `/floating_ips/${id}/actions/assign`, { server });
        }
      }
      await until(() => world.info().nodes.every(({ ready }) => ready));
      await until(() =>
        world
          .info()
          .floatingIPs.every(
            ({ assignedTo, routedTo, claimedBy }) => assignedTo === routedTo && assignedTo === claimedBy[0],
          ),
      );
    },
    async close() {
      await world.close();
      await rm(state, { recursive: true, force: true });
    },
  };
}
export const INCIDENTS = listIncidents();
