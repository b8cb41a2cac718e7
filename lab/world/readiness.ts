import type { Clock } from '../../src/base/clock.ts';
import { Failure } from '../../src/base/failure.ts';
import type { Machines } from './machines.ts';

/** Waits until every machine (those of these ids) is ready, telling of each as it comes. */
export async function becomesReady(
  clock: Clock,
  machines: Machines,
  progress: (text: string) => void,
  ids?: ReadonlySet<number>,
): Promise<void> {
  const deadline = clock.now() + 90_000;
  const told = new Set<string>();
  for (;;) {
    const all = machines.all().filter((m) => ids === undefined || ids.has(m.server.id));
    const waiting = all.filter((m) => !m.node.info().ready);
    for (const machine of all) {
      if (!waiting.includes(machine) && !told.has(machine.server.name)) {
        told.add(machine.server.name);
        progress(`${machine.server.name} is ready at ${machine.server.publicIPv4}`);
      }
    }
    if (waiting.length === 0) return;
    if (clock.now() > deadline) {
      throw new Failure({
        code: 'lab-not-ready',
        what: 'The cluster did not become ready',
        why: `still waiting for ${waiting.map((m) => `${m.server.name} (${m.node.info().stage})`).join(', ')}`,
        state: 'The lab is being ended.',
        next: `Read ${waiting.map((m) => m.node.info().log).join(', ')}.`,
      });
    }
    await clock.sleep(50);
  }
}
