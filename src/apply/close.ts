import { textOf } from '../base/failure.ts';
import type { Operation } from '../journal/entries.ts';
import type { Evidence, EvidenceLock, EvidenceSnapshot } from '../journal/evidence.ts';
import { outagePage } from '../journal/outage-page.ts';
import { valueOf } from '../model/fact.ts';
import type { Verification } from '../model/finding.ts';
import type { Observation } from '../model/observation.ts';
import { degradedEffect } from '../plan/degraded.ts';
import { contextAt } from './api-server.ts';
import { causeOf, timedSteps } from './outage-causes.ts';
import { PROBE } from './prepare.ts';
import type { Run } from './run.ts';

interface Parts {
  readonly operation: Operation;
  readonly first: Observation;
  readonly last: Observation | undefined;
  readonly startedAt: Date;
  readonly verification: Verification | undefined;
  readonly complete: boolean;
}

/** The record of a run out of what was seen. `survived`: complete, sound at the end, and no token refused on the way. */
export function evidenceOf(run: Run, parts: Parts): Evidence {
  const report = run.prober.report();
  // After an undo the cluster is not as the configuration asks for, and that is what was wanted.
  const sound = parts.operation !== 'apply' || (parts.verification?.verdict ?? 'broken') !== 'broken';
  const good = sound && report.tokensRefused === 0;
  const versions = parts.first.nodes.map((node) => [node.name, valueOf(node.talosVersion) ?? 'unknown'] as const);
  const kubeconfig = kubeconfigDigests(parts);
  return {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Evidence',
    operation: parts.operation,
    cluster: run.loaded.config.name,
    startedAt: parts.startedAt.toISOString(),
    endedAt: run.systems.clock.wall().toISOString(),
    components: {
      kubernetes: valueOf(parts.first.kubernetesVersion) ?? 'unknown',
      ...Object.fromEntries(versions.map(([name, version]) => [`talos ${name}`, version])),
    },
    steps: run.steps,
    gaps: report.gaps,
    ...(report.longestGapMs === undefined ? {} : { longestGapMs: report.longestGapMs }),
    ...outageRecord(run),
    apiServerRestarts: run.restarts,
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
    tokens: { mintedBefore: 1, refused: report.tokensRefused },
    lock: lockRecord(run),
    snapshot: snapshotRecord(run),
    ...degradedRecord(parts.first),
    verdict: !parts.complete ? 'incomplete' : good ? 'survived' : 'failed',
  };
}

/** Gaps with their causes, by the calendar. */
function outageRecord(run: Run): Pick<Evidence, 'outages' | 'neverAnswered'> {
  const { clock } = run.systems;
  const wallOfZero = clock.wall().getTime() - clock.now();
  const { gaps, neverAnswered } = run.prober.outages();
  const steps = timedSteps(run.steps, wallOfZero);
  const planes = run.planes.map((plane) => plane.name);
  return {
    outages: gaps.map((gap) => ({
      target: gap.target,
      path: gap.path,
      from: new Date(wallOfZero + gap.from).toISOString(),
      ms: Math.round(gap.to - gap.from),
      longest: gap.longest,
      cause: causeOf(gap, gaps, steps, planes),
      failures: gap.failures,
    })),
    ...(neverAnswered.length === 0 ? {} : { neverAnswered }),
  };
}

const lockRecord = ({ lock, safeguards }: Run): EvidenceLock =>
  lock === undefined ? { state: 'left-out', reason: safeguards.withoutLock ?? '' } : { state: 'held', how: lock.how };

function snapshotRecord({ snapshot, safeguards }: Run): EvidenceSnapshot {
  if (snapshot !== undefined) {
    const { place, bytes, sha256, member } = snapshot;
    return { state: 'taken', place, bytes, sha256, member };
  }
  const { snapshot: wish } = safeguards;
  return {
    state: 'left-out',
    reason: wish.kind === 'none' ? wish.reason : 'no control plane was to be changed when the run began',
  };
}

function degradedRecord(first: Observation): Pick<Evidence, 'degraded'> {
  const { skipped = [] } = first;
  return skipped.length === 0
    ? {}
    : { degraded: { skipped: skipped.map((node) => node.name), effect: degradedEffect(first, skipped) } };
}

function kubeconfigDigests({ first, last }: Parts): Evidence['kubeconfig'] {
  const digest = (observation: Observation | undefined): string | undefined => {
    const [file] = observation?.consumers.kubeconfigs ?? [];
    return file === undefined ? undefined : valueOf(file.content)?.sha256;
  };
  const [sha256Before, sha256After] = [digest(first), digest(last)];
  return sha256Before === undefined || sha256After === undefined ? undefined : { sha256Before, sha256After };
}

/** Ends what the run started and writes its record down. Gives the paths of the document and, where there is a folder, of its page. */
export async function closeRun(
  run: Run,
  evidence: Evidence,
  outcome: string,
): Promise<{ readonly file: string; readonly page: string | undefined }> {
  await run.prober.stop();
  run.reporter.report({ kind: 'prober-report', report: run.prober.report() });
  const [plane] = run.planes;
  if (plane !== undefined) {
    const client = run.systems.kubernetes(contextAt(run.systems.kubeContext, plane.address, plane.port));
    await client
      .deleteConfigMap(PROBE.namespace, PROBE.configMap)
      .catch((error: unknown) =>
        run.reporter.report({
          kind: 'note',
          text: `The ConfigMap default/${PROBE.configMap} is left behind: ${textOf(error)}`,
        }),
      )
      .finally(() => client.close());
  }
  const file = await run.journal.evidence(evidence);
  // A Secret of the cluster holds no pages; the document says the same.
  const page = run.loaded.stateDir === undefined ? undefined : await run.journal.page(outagePage(evidence));
  await run.journal.append({ kind: 'run-ended', outcome });
  return { file, page };
}
