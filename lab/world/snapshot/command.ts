import { createServer } from 'node:net';
import type { Clock } from '../../../src/base/clock.ts';
import { EXIT, Failure } from '../../../src/base/failure.ts';
import { findLab, startLab, stopLab } from '../client.ts';
import type { LabInfo } from '../info.ts';
import { CLAIM_PORT } from '../../fabric/range.ts';
import { type Manifest, readSnapshot } from './archive.ts';

/**
 * Brings the world of a snapshot back in a lab's folder. A lab that runs there is ended and replaced; what can be seen to
 * be wrong with the snapshot is refused before that. Resolves when what was ready is ready again.
 */
export async function restoreLab(
  ports: { readonly clock: Clock },
  state: string,
  /** Absolute. */
  file: string,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<{ readonly info: LabInfo; readonly manifest: Manifest; readonly replaced: boolean }> {
  const { manifest } = await readSnapshot(file);
  const running = await findLab(state).then(
    (lab) => lab.info(),
    () => undefined,
  );
  if (running !== undefined && running.fabric !== manifest.options.fabric)
    throw refused(
      `it is of a lab on the ${manifest.options.fabric} fabric; the one that runs in ${state} is on ${running.fabric}`,
      'End that one with `fairlead lab down`, or name another folder with --state DIR.',
    );
  const { base } = manifest;
  const own = running?.nodes.some(({ publicIPv4 }) => publicIPv4.startsWith(`127.${base}.`)) === true;
  if (base !== undefined && !own && (await isClaimed(base)))
    throw refused(
      `its addresses, 127.${base}.0.0/16, belong to another lab that runs: ${manifest.name} itself, most likely`,
      'End that lab, or restore the snapshot in its folder.',
    );
  if (running !== undefined) {
    progress(`the lab ${running.name} is replaced`);
    await stopLab(ports, state);
  }
  const info = await startLab(ports, state, manifest.options, progress, signal, file);
  return { info, manifest, replaced: running !== undefined };
}

/** Whether a lab has this range: its claim is a listener. */
function isClaimed(base: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(true));
    probe.listen({ host: `127.${base}.0.1`, port: CLAIM_PORT, exclusive: true }, () => {
      probe.close(() => resolve(false));
    });
  });
}

const refused = (why: string, next: string): Failure =>
  new Failure({
    code: 'lab-restore-refused',
    exit: EXIT.refused,
    what: 'The snapshot was not restored',
    why,
    state: 'Nothing was changed.',
    next,
  });
