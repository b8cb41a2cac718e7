// The story from step b on, run by `lab exec --from client` where the lab's addresses are reachable from there alone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAtomic } from '../../src/base/files.ts';
import type { DemoEvidence } from './evidence.ts';
import { createNarrator, type Narrator } from './narrator.ts';
import type { DemoOptions } from './options.ts';
import { goOn } from './story.ts';

/** What crosses over, in the demo's own folder: options one way, the evidence so far both ways. */
interface Baton {
  readonly options: Omit<DemoOptions, 'signal'>;
  readonly json: boolean;
  readonly evidence: DemoEvidence;
}

const here = fileURLToPath(import.meta.url);
const main = path.resolve(import.meta.dirname, '../../src/cli/main.ts');
const batonOf = (work: string): string => path.join(work, 'baton.json');

/** Goes on as the lab's client. Resolves with the evidence as the client left it; throws when it was interrupted. */
export async function goOnInside(options: DemoOptions, json: boolean, evidence: DemoEvidence): Promise<DemoEvidence> {
  const { signal, ...rest } = options;
  const baton: Baton = { options: rest, json, evidence };
  await writeAtomic(batonOf(options.work), JSON.stringify(baton), 0o600);
  const state = path.join(options.work, 'lab');
  const command = ['lab', 'exec', '--state', state, '--from', 'client', '--', process.execPath, here, options.work];
  const child = spawn(process.execPath, [main, ...command], { stdio: ['ignore', 'inherit', 'inherit'] });
  const interrupt = (): void => void child.kill('SIGINT');
  signal.addEventListener('abort', interrupt, { once: true });
  const [code] = (await once(child, 'exit')) as [number | null];
  signal.removeEventListener('abort', interrupt);
  signal.throwIfAborted();
  if (code !== 0) throw new Error(`the client inside the lab ended with ${code}`);
  return (JSON.parse(await readFile(batonOf(options.work), 'utf8')) as Baton).evidence;
}

async function run(work: string): Promise<void> {
  const baton = JSON.parse(await readFile(batonOf(work), 'utf8')) as Baton;
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => controller.abort(new Error('interrupted')));
  await goOn({ ...baton.options, signal: controller.signal }, narratorFor(baton.json), baton.evidence);
  await writeAtomic(batonOf(work), JSON.stringify(baton), 0o600);
}

/** Speaks to a person on stdout, or on stderr where stdout is for the document alone. */
export function narratorFor(json: boolean): Narrator {
  const out = json ? process.stderr : process.stdout;
  return createNarrator(out, out.isTTY === true && (process.env['NO_COLOR'] ?? '') === '');
}

const [program = '', work] = process.argv.slice(1);
if (path.resolve(program) === here && work !== undefined) await run(work);
