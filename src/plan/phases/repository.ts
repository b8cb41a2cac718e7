import { Redacted } from '../../base/redacted.ts';
import { type RepositoryChange, repositoryChanges } from '../../consumers/repository/desired.ts';
import { wantedRepository } from '../../consumers/repository/wanted.ts';
import { controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { Change, Refusal } from '../../model/plan.ts';
import { type PlanContext, shown } from '../context.ts';
import { configDiff, publicLink } from '../edits.ts';

export interface RepositoryPhase {
  readonly changes: readonly Change[];
  readonly refusals: readonly Refusal[];
}

const NOTHING: RepositoryPhase = { changes: [], refusals: [] };

/** Phase 8: the folder that new nodes are made from says the same as the running nodes. Without it the next node brings the old endpoint back. */
export function repositoryPhase(context: PlanContext): RepositoryPhase {
  const { observation, loaded } = context;
  const { repository } = observation.consumers;
  if (repository === undefined || repository.patches.kind === 'unknown' || repository.variables.kind === 'unknown')
    return NOTHING;
  const variable = loaded.config.talosVip?.variable ?? 'TALOS_VIP_TOKEN';
  const [model] = controlPlanes(observation).filter(
    (node) => node.config.kind === 'known' && publicLink(node) !== undefined,
  );
  const config = model === undefined ? undefined : valueOf(model.config);
  const link = model === undefined ? undefined : publicLink(model);
  const talosVersion = model === undefined ? undefined : valueOf(model.talosVersion);
  if (config === undefined || link === undefined || talosVersion === undefined) return NOTHING;
  const wanted = wantedRepository({
    clusterName: loaded.config.name,
    endpoint: context.wanted.url,
    names: context.names,
    issuer:
      context.issuer.kind === 'known' && context.issuer.issuer !== context.wanted.url
        ? context.issuer.issuer
        : undefined,
    ip: context.ip,
    variable,
    link,
    talosVersion,
    model: config.text.reveal(),
  });
  const files = repository.patches.value.map(({ scope, file, text }) => ({ scope, file, text: text.reveal() }));
  const list = repositoryChanges(repository.path, files, wanted);
  const needsVariable =
    wanted.patches.some((patch) => patch.purpose === 'vip') && !repository.variables.value.includes(variable);
  return {
    changes: list.flatMap((change) => (change.kind === 'write' ? [changeOf(context, repository.path, change)] : [])),
    refusals: [
      ...list.flatMap((change) => (change.kind === 'conflict' ? [conflict(change)] : [])),
      ...(needsVariable ? [variableMissing(repository.path, variable)] : []),
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
    diff: shown(context, configDiff(short, change.before ?? '', change.after, context.loaded.vipToken)),
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

const variableMissing = (folder: string, variable: string): Refusal => ({
  code: 'repository-variable-missing',
  what: `${folder}/env does not set ${variable}`,
  why: `the VIP patch names the token as \${${variable}}; without a value new control planes would get an empty token`,
  next: `Add ${variable}=… to ${folder}/env (mode 0600), or name the variable that holds it under talosVip.variable.`,
});
