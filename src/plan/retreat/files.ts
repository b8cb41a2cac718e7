import { sha256 } from '../../base/digest.ts';
import { kubeconfigStanding } from '../../consumers/kubeconfig/desired.ts';
import { valueOf } from '../../model/fact.ts';
import type { Observation } from '../../model/observation.ts';
import type { Change } from '../../model/plan.ts';
import { configDiff } from '../edits.ts';
import type { RetreatFile } from './retreat.ts';

/** Kubeconfigs that name another server go back by a fresh one: the file may hold other clusters that came since. */
export function kubeconfigChanges(observation: Observation, url: string): Change[] {
  const at = new Date(observation.at);
  return observation.consumers.kubeconfigs.flatMap(({ file, context, content }): Change[] => {
    // One that is not there, or does not know this cluster, was not written by us.
    const entry = valueOf(content)?.entry;
    if (entry === undefined) return [];
    const standing = kubeconfigStanding(entry, url, at);
    if (standing.kind === 'right') return [];
    return [
      {
        id: `kubeconfig/${file}`,
        what: `Kubeconfig ${file}: server ${url}`,
        where: { system: 'file', subject: file },
        why: standing.why,
        before: entry.server,
        after: url,
        precondition:
          'the endpoint back on every control plane; the new kubeconfig names it and reaches /readyz through it',
        effect: 'the file leads to the endpoint; foreign contexts are as they were',
        undo: 'Run fairlead apply.',
        disruption: 'none',
        action: { kind: 'kubeconfig', file, context, url },
      },
    ];
  });
}

/** Repository files as they were. One that somebody has changed since is left alone, and said. */
export function fileChanges(
  observation: Observation,
  files: readonly RetreatFile[],
): { readonly changes: readonly Change[]; readonly warnings: readonly string[] } {
  const { repository } = observation.consumers;
  const patches = repository === undefined ? [] : (valueOf(repository.patches) ?? []);
  const changes: Change[] = [];
  const left: string[] = [];
  for (const { file, original, sha256After } of files) {
    const now = patches.find((patch) => patch.file === file)?.text.reveal();
    if (now === undefined || now === original?.reveal()) continue;
    if (sha256(now) !== sha256After) {
      left.push(file);
      continue;
    }
    changes.push({
      id: `restore/${file}`,
      what: original === undefined ? `Delete ${file}` : `${file} as it was`,
      where: { system: 'file', subject: file },
      why: 'A node made anew gets what this folder says: it must not bring the endpoint back.',
      before: 'as fairlead wrote it',
      after: original === undefined ? 'no such file' : 'the original, from the journal',
      diff: configDiff(file, now, original?.reveal() ?? ''),
      precondition: 'nobody has changed it since',
      effect: 'the folder is as it was',
      undo: 'Run fairlead apply.',
      disruption: 'none',
      action: { kind: 'restore-file', file, content: original, sha256Before: sha256(now) },
    });
  }
  return {
    changes,
    warnings: left.map(
      (file) => `${file} was changed by somebody since: it is left as it is. Look at it before the next node is made.`,
    ),
  };
}
