import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LabInfo } from '../../lab/world/info.ts';
import { systemClock } from '../../src/base/clock.ts';
import { textOf } from '../../src/base/failure.ts';
import type { Redacted } from '../../src/base/redacted.ts';
import { startProber } from '../../src/probe/prober.ts';
import { ready } from '../../src/probe/ready.ts';
import type { Prober } from '../../src/probe/types.ts';
import { createKubernetesClient } from '../../src/systems/kubernetes/client.ts';
import { parseKubeconfig, resolveContext } from '../../src/systems/kubernetes/kubeconfig.ts';
import type { KubeContext } from '../../src/systems/kubernetes/types.ts';
import { fairlead, findKubectl, run, type Ran } from './commands.ts';
import { type DemoEvidence, type DemoStep, judge } from './evidence.ts';
import { configFor, spoil } from './controls.ts';
import type { Narrator } from './narrator.ts';
import { NAMESPACE, type DemoOptions } from './options.ts';
import { replaceOne } from './replace.ts';

const PROBE_CONFIG_MAP = 'fairlead-demo';

/** Evidence of which nothing is observed yet; `incomplete` until the story is told to its end. */
export function blankEvidence(speed: number): DemoEvidence {
  return {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Evidence',
    speed,
    components: {},
    steps: [],
    replacements: [],
    gaps: {},
    apiServerRestarts: {},
    requests: {},
    kubeconfig: { sha256Before: '', sha256After: '' },
    tokens: { mintedBefore: 0, refused: 0 },
    verdict: 'incomplete',
    reasons: [],
  };
}

/** What every part of the story needs: a step that is on record, and the lab as it is. */
function tools({ work, signal }: DemoOptions, narrator: Narrator, evidence: DemoEvidence) {
  const clock = systemClock;
  const state = path.join(work, 'lab');
  const step = async (
    name: string,
    title: string,
    body: (note: (text: string) => void) => Promise<boolean>,
  ): Promise<boolean> => {
    signal.throwIfAborted();
    narrator.title(name, title);
    const record: DemoStep = { name, at: clock.wall().toISOString(), durationMs: 0, ok: false, notes: [] };
    evidence.steps.push(record);
    const began = clock.now();
    const note = (text: string): void => {
      record.notes.push(text);
      narrator.say(text);
    };
    try {
      record.ok = await body(note);
    } finally {
      record.durationMs = Math.round(clock.now() - began);
    }
    narrator.outcome(record.ok, record.durationMs);
    return record.ok;
  };
  const must = (ran: Ran, what: string): Ran => {
    if (ran.code !== 0) throw new Error(`${what} ended with ${ran.code}:\n${ran.stderr}`);
    return ran;
  };
  const info = async (): Promise<LabInfo> =>
    JSON.parse(
      must(await fairlead(['lab', 'info', '--state', state, '--output', 'json'], { signal }), 'lab info').stdout,
    ) as LabInfo;
  return { clock, state, step, must, info, common: { signal, onProgress: narrator.progress } };
}

/** Step a, which needs no network: the lab comes up. False when the story ends here, with the reason in the evidence. */
export async function begin(options: DemoOptions, narrator: Narrator, evidence: DemoEvidence): Promise<boolean> {
  const { state, step, must, info, common } = tools(options, narrator, evidence);
  const { components } = evidence;
  const flags = ['--speed', String(options.speed), '--parts', options.parts, '--fabric', options.fabric];
  try {
    await step('a', 'A Hetzner project with a cluster whose endpoint is its first control plane', async (note) => {
      must(await fairlead(['lab', 'up', '--state', state, ...flags], common), 'lab up');
      const lab = await info();
      const first = lab.nodes.find((n) => n.role === 'control-plane');
      components['etcd'] = first?.etcd?.backing ?? 'unknown';
      components['kubeApiserver'] = first?.kubeApiserver?.backing ?? 'unknown';
      components['talos'] = `${first?.talosVersion} (emulated)`;
      components['fabric'] = lab.fabric;
      note(
        `cluster ${lab.name}: etcd ${components['etcd']}, kube-apiserver ${components['kubeApiserver']}, Talos ${components['talos']}`,
      );
      note(`endpoint ${lab.endpoint} is ${first?.name}'s own address`);
      return lab.endpoint === first?.kubernetesApi;
    });
    return true;
  } catch (error) {
    if (options.signal.aborted) throw error;
    evidence.reasons.push(textOf(error));
    narrator.say(textOf(error));
    return false;
  }
}

/**
 * All that follows, told by public commands from where a client of the lab stands. Leaves what was observed in `evidence`;
 * a story that could not be told to its end stays `incomplete`, with the reason. Throws only when it is interrupted.
 */
export async function goOn(options: DemoOptions, narrator: Narrator, evidence: DemoEvidence): Promise<void> {
  const { work, signal } = options;
  const { clock, state, step, must, info, common } = tools(options, narrator, evidence);
  const { replacements, kubeconfig, tokens, components } = evidence;
  const home = path.join(work, 'home');
  await mkdir(home, { recursive: true });
  const kubectl = await findKubectl();
  components['kubectl'] = kubectl === undefined ? 'not found' : path.basename(kubectl);
  const context = async (file: string): Promise<KubeContext> =>
    resolveContext(parseKubeconfig(await readFile(file, 'utf8'), file), undefined, (name) => readFile(name, 'utf8'));

  let prober: Prober | undefined;
  let cutShort: string | undefined;
  try {
    const started = await info();
    const controlPlanes = started.nodes.filter((n) => n.role === 'control-plane').map((n) => n.name);
    const [firstName] = controlPlanes;
    if (firstName === undefined) throw new Error('the lab has no control plane');
    const pinned = path.join(work, 'pinned-kubeconfig');
    await writeFile(pinned, await readFile(started.files.kubeconfig), { mode: 0o600 });

    await step('b', `The problem: ${firstName} loses power, and with it the whole API`, async (note) => {
      must(await fairlead(['lab', 'node', 'power-off', firstName, '--state', state], common), 'power-off');
      const own = await ready(await context(pinned), '/readyz', { timeoutMs: 2_000 });
      note(`fairlead's own probe: ${own.kind === 'failed' ? own.message : `HTTP ${own.status}`}`);
      let kubectlFailed = true;
      if (kubectl !== undefined) {
        const got = await run(kubectl, ['--kubeconfig', pinned, '--request-timeout=2s', 'get', 'nodes'], {
          home,
          signal,
        });
        note(`kubectl: ${got.stderr.trim().split('\n').at(-1) ?? ''}`);
        kubectlFailed = got.code !== 0;
      }
      must(await fairlead(['lab', 'node', 'power-on', firstName, '--state', state], common), 'power-on');
      return own.kind === 'failed' && own.reason === 'timeout' && kubectlFailed;
    });

    const config = await configFor(options.control, started);
    let token: Redacted | undefined;
    await step('c', 'The plan, and the change', async (note) => {
      const plan = await fairlead(['plan', '--config', config, '--no-color'], common);
      narrator.document(plan.stdout);
      must(plan, 'plan');
      const before = createKubernetesClient(await context(pinned));
      await before.ensureConfigMap(NAMESPACE, PROBE_CONFIG_MAP, { beat: '0' });
      token = await before.serviceAccountToken(NAMESPACE, 'default', 24 * 3600);
      tokens.mintedBefore += 1;
      note('a service-account token was minted before the change');
      const applied = await fairlead(['apply', '--config', config, '--yes', '--output', 'json'], common);
      must(applied, 'apply');
      const document = JSON.parse(applied.stdout) as { apiServerRestarts?: Record<string, number> };
      evidence.apiServerRestarts = document.apiServerRestarts ?? {};
      const lab = await info();
      note(`endpoint is now ${lab.endpoint}; the kubeconfig is written once, for good`);
      return lab.floatingIPs.some((f) => lab.endpoint === `https://${f.ip}:6443` && f.claimedBy.length === 1);
    });
    if (token === undefined) throw new Error('no token was minted');
    kubeconfig.sha256Before = await sha256(started.files.kubeconfig);
    await spoil(options.control, started);

    const lasting = await context(started.files.kubeconfig);
    await step('d', 'From here on a prober reads the endpoint every 100 ms and writes every 500 ms', async (note) => {
      prober = startProber(
        { clock },
        {
          targets: [{ name: 'endpoint', context: lasting }],
          token: token as Redacted,
          namespace: NAMESPACE,
          configMap: PROBE_CONFIG_MAP,
          signal,
        },
      );
      await clock.sleep(1_000, signal);
      const { samples, failures } = prober.report();
      note(`${samples} requests, ${failures.reduce((n, f) => n + f.count, 0)} failed`);
      return samples > 0;
    });

    await step('e', 'Every control plane in turn is deleted and created anew', async (note) => {
      for (const node of controlPlanes) {
        const result = await replaceOne(node, options, {
          state,
          home,
          clock,
          narrator,
          info,
          kubectl,
          kubeconfig: started.files.kubeconfig,
          context: lasting,
          prober,
          token: token as Redacted,
        });
        tokens.refused += result.tokensRefused;
        replacements.push(result.replacement);
        for (const line of result.notes) note(line);
        if (!result.replacement.survived) return false;
      }
      return true;
    });
    kubeconfig.sha256After = await sha256((await info()).files.kubeconfig);
    evidence.requests = await countRequests(state);
  } catch (error) {
    if (signal.aborted) throw error;
    // What was seen until here is still what was seen; the rest did not happen and is not claimed.
    cutShort = textOf(error);
    narrator.say(cutShort);
  } finally {
    if (prober !== undefined) {
      const report = prober.report();
      evidence.gaps = report.gaps;
      tokens.refused += report.tokensRefused;
      await prober.stop();
    }
  }

  if (cutShort === undefined) {
    const judged = judge(evidence, 3);
    evidence.verdict = judged.verdict;
    evidence.reasons.push(...judged.reasons);
  } else evidence.reasons.push(cutShort);
}

async function countRequests(state: string): Promise<DemoEvidence['requests']> {
  const ran = await fairlead(['lab', 'requests', '--state', state, '--output', 'json', '--quiet']);
  const { requests } = JSON.parse(ran.stdout) as { requests: { system: string; write: boolean }[] };
  const counts: Record<string, { reads: number; writes: number }> = {};
  for (const { system, write } of requests) {
    const count = (counts[system] ??= { reads: 0, writes: 0 });
    if (write) count.writes += 1;
    else count.reads += 1;
  }
  return counts;
}

const sha256 = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
