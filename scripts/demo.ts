// The main job, as a script of public commands: a cluster pinned to one node gets an endpoint that outlives every node.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeAtomic } from '../src/base/files.ts';
import { table } from '../src/cli/output.ts';
import { fairlead } from './demo/commands.ts';
import type { DemoEvidence } from './demo/evidence.ts';
import { CONTROLS, type Control } from './demo/controls.ts';
import { goOnInside, narratorFor } from './demo/inside.ts';
import { begin, blankEvidence, goOn } from './demo/story.ts';

const HELP = `npm run demo -- [--speed N] [--parts auto|built-in|real] [--fabric loopback|netns] [--output text|json] [--control NAME]

  --speed N     1 (true time) to 30; default 10
  --parts P     etcd and kube-apiserver: auto (real where found), built-in, real
  --fabric F    the lab's network: loopback (default), netns (network namespaces; the story is told by its client)
  --output json prints the evidence document alone (npm run --silent demo -- --output json)
  --control C   spoils the story on purpose, so that the verdict must fall: ${CONTROLS.join(', ')}
`;

interface Options {
  readonly speed: number;
  readonly parts: 'auto' | 'built-in' | 'real';
  readonly fabric: 'loopback' | 'netns';
  readonly json: boolean;
  readonly control: Control | undefined;
}

function readOptions(argv: string[]): Options | string {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: {
        speed: { type: 'string', default: '10' },
        parts: { type: 'string', default: 'auto' },
        fabric: { type: 'string', default: 'loopback' },
        output: { type: 'string', default: 'text' },
        control: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}\n\n${HELP}`;
  }
  if (values.help) return HELP;
  const speed = Number(values.speed);
  if (!(speed >= 1 && speed <= 30)) return `--speed ${values.speed}: a number from 1 to 30\n\n${HELP}`;
  const { parts, fabric, control } = values;
  if (parts !== 'auto' && parts !== 'built-in' && parts !== 'real') return `--parts ${parts}\n\n${HELP}`;
  if (fabric !== 'loopback' && fabric !== 'netns') return `--fabric ${fabric}\n\n${HELP}`;
  if (values.output !== 'text' && values.output !== 'json') return `--output ${values.output}\n\n${HELP}`;
  const known = CONTROLS.find((c) => c === control);
  if (control !== undefined && known === undefined) return `--control ${control}\n\n${HELP}`;
  return { speed, parts, fabric, json: values.output === 'json', control: known };
}

const seconds = (ms: number | null | undefined): string =>
  ms === null || ms === undefined ? '-' : `${(ms / 1000).toFixed(1)} s`;

function renderTable(evidence: DemoEvidence): string {
  const rows = [
    [
      'node',
      'old server',
      'new server',
      'holder before',
      'holder after',
      'new conn.',
      'kept conn.',
      'write',
      'token',
      'verdict',
    ],
    ...evidence.replacements.map((r) => [
      r.node,
      String(r.oldServerId),
      String(r.newServerId),
      r.holderBefore ?? '-',
      r.holderAfter ?? '-',
      seconds(r.gaps['readNewConnection']),
      seconds(r.gaps['readKeptConnection']),
      seconds(r.gaps['write']),
      seconds(r.gaps['token']),
      r.survived ? 'survived' : 'failed',
    ]),
  ];
  return table(rows);
}

/** The story's last line, out of what was observed. */
export function lastLine(evidence: DemoEvidence, expected: number): string {
  const survived = evidence.replacements.filter((r) => r.survived).length;
  if (evidence.verdict === 'incomplete') {
    const names = evidence.steps.filter((s) => s.ok).map((s) => s.name);
    const [first, last] = [names[0], names.at(-1)];
    return `demo: incomplete, built so far: ${first === undefined ? 'nothing' : `${first}-${last}`}`;
  }
  const longest = Math.max(0, ...evidence.replacements.map((r) => r.longestGapMs ?? 0));
  if (evidence.verdict === 'survived') {
    return `demo: endpoint survived ${survived} of ${expected} control-plane replacements, longest gap ${(longest / 1000).toFixed(1)} s (speed ${evidence.speed}), kubeconfig unchanged`;
  }
  return `demo: failed: ${evidence.reasons.join('; ')}`;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') {
    process.stderr.write(options);
    return options === HELP ? 0 : 2;
  }
  const out = options.json ? process.stderr : process.stdout;
  const narrator = narratorFor(options.json);
  const work = await mkdtemp(path.join(os.tmpdir(), 'fairlead-demo-'));
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => controller.abort(new Error('interrupted')));
  const began = performance.now();
  try {
    const { json, ...told } = options;
    const story = { ...told, work, signal: controller.signal };
    let evidence = blankEvidence(options.speed);
    if (await begin(story, narrator, evidence)) {
      if (options.fabric === 'loopback') await goOn(story, narrator, evidence);
      else evidence = await goOnInside(story, json, evidence);
    }
    const folder = path.resolve('.fairlead', 'evidence');
    await mkdir(folder, { recursive: true });
    const file = path.join(folder, `demo-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.json`);
    await writeAtomic(file, `${JSON.stringify(evidence, undefined, 2)}\n`);
    if (options.json) process.stdout.write(`${JSON.stringify(evidence, undefined, 2)}\n`);
    out.write(`\n${renderTable(evidence)}\n\n`);
    out.write(`kubeconfig SHA-256 before  ${evidence.kubeconfig.sha256Before}\n`);
    out.write(`kubeconfig SHA-256 after   ${evidence.kubeconfig.sha256After}\n`);
    out.write(
      `evidence ${path.relative(process.cwd(), file)}, ${((performance.now() - began) / 1000).toFixed(0)} s in all\n`,
    );
    out.write(`${lastLine(evidence, 3)}\n`);
    return evidence.verdict === 'survived' ? 0 : 1;
  } catch (error) {
    out.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
    if (controller.signal.aborted) out.write('demo: interrupted; the lab is ended\n');
    else out.write('demo: failed: it could not be told to its end\n');
    return controller.signal.aborted ? 130 : 1;
  } finally {
    await fairlead(['lab', 'down', '--state', path.join(work, 'lab'), '--quiet']).catch(() => {});
    await rm(work, { recursive: true, force: true });
  }
}

process.exitCode = await main();
