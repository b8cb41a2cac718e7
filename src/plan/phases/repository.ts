import { Redacted } from '../../base/redacted.ts';
import type { RepositoryChange } from '../../consumers/repository/desired.ts';
import { repositoryStanding } from '../../consumers/repository/standing.ts';
import type { Change, Refusal } from '../../model/plan.ts';
import { type PlanContext, shown } from '../context.ts';
import { configDiff } from '../edits.ts';

export interface RepositoryPhase {
  readonly changes: readonly Change[];
  readonly refusals: readonly Refusal[];
}

const NOTHING: RepositoryPhase = { changes: [], refusals: [] };

/** Phase 8: the folder that new nodes are made from says the same as the running nodes. Without it the next node brings the old endpoint back. */
export function repositoryPhase(context: PlanContext): RepositoryPhase {
  const { observation, loaded } = context;
  const { repository } = observation.consumers;
  const standing = repositoryStanding(observation, context, loaded.config.talosVip?.variable ?? 'TALOS_VIP_TOKEN');
  if (repository === undefined || standing === undefined) return NOTHING;
  const { changes, variableMissing } = standing;
  return {
    changes: changes.flatMap((change) => (change.kind === 'write' ? [changeOf(context, repository.path, change)] : [])),
    refusals: [
      ...changes.flatMap((change) => (change.kind === 'conflict' ? [conflict(change)] : [])),
      ...(variableMissing === undefined ? [] : [withoutVariable(repository.path, variableMissing)]),
    ],
  };
}

const WHAT = {
  endpoint: 'the endpoint',
  names: 'the certificate names',
  issuer: 'the token issuer',
  vip: 'the VIP, its token by reference',
} as const;

function changeOf(context: PlanContext, folder: string, change: Extract<RepositoryChange, { kind: 'write' }>): Change {
  const short = change.file.startsWith(folder) ? change.file.slice(folder.length + 1) : change.file;
  return {
    id: `repository/${short}`,
    what: `${change.before === undefined ? 'Write' : 'Change'} ${short}: ${WHAT[change.purpose]}`,
    where: { system: 'file', subject: change.file },
    why: 'A node made anew gets what this folder says, not what the running nodes have.',
    before: change.before === undefined ? 'no such file' : 'the file as it is',
    after: shown(context, `${WHAT[change.purpose]} as on the running nodes`),
    diff: shown(context, configDiff(short, change.before ?? '', change.after)),
    precondition: 'the endpoint right on every node and proven',
    effect: 'a second look finds nothing to write in the folder',
    undo:
      change.before === undefined ? 'Delete the file.' : 'Take the change back (the folder is under version control).',
    disruption: 'none',
    action: {
      kind: 'repository-file',
      file: change.file,
      scope: change.scope,
      content: new Redacted(change.after),
      existed: change.before !== undefined,
    },
  };
}

const conflict = (change: Extract<RepositoryChange, { kind: 'conflict' }>): Refusal => ({
  code: 'repository-conflict',
  what: `${change.file} stands against the endpoint`,
  why: change.why,
  next: 'Correct that file, then plan again; fairlead does not overwrite what it did not write.',
});

const withoutVariable = (folder: string, variable: string): Refusal => ({
  code: 'repository-variable-missing',
  what: `${folder}/env does not set ${variable}`,
  why: `the VIP patch names the token as \${${variable}}; without a value new control planes would get an empty token`,
  next: `Add ${variable}=… to ${folder}/env (mode 0600), or name the variable that holds it under talosVip.variable.`,
});
