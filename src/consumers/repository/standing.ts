import { controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { Goal } from '../../model/goal.ts';
import type { Observation } from '../../model/observation.ts';
import { publicLink } from '../../model/public-link.ts';
import { type RepositoryChange, repositoryChanges } from './desired.ts';
import { wantedRepository } from './wanted.ts';

export interface RepositoryStanding {
  readonly changes: readonly RepositoryChange[];
  /** The name under which the token must be set and is not. */
  readonly variableMissing: string | undefined;
}

/** What a repository lacks to make nodes like the running ones; undefined where there is none, or where that cannot be told. */
export function repositoryStanding(
  observation: Observation,
  goal: Goal,
  variable: string,
): RepositoryStanding | undefined {
  const { repository } = observation.consumers;
  if (repository?.patches.kind !== 'known' || repository.variables.kind !== 'known') return undefined;
  // Without every control plane's config nobody knows which issuer and which old names a new node needs.
  if (goal.issuer.kind !== 'known') return undefined;
  const [model] = controlPlanes(observation).filter(
    (node) => node.config.kind === 'known' && publicLink(node) !== undefined,
  );
  const config = model === undefined ? undefined : valueOf(model.config);
  const link = model === undefined ? undefined : publicLink(model);
  const talosVersion = model === undefined ? undefined : valueOf(model.talosVersion);
  if (config === undefined || link === undefined || talosVersion === undefined) return undefined;
  const wanted = wantedRepository({
    endpoint: goal.wanted.url,
    names: goal.names,
    issuer: goal.pin,
    ip: goal.ip,
    variable,
    link,
    talosVersion,
    model: config.text.reveal(),
  });
  const files = repository.patches.value.map(({ scope, file, text }) => ({ scope, file, text: text.reveal() }));
  return {
    changes: repositoryChanges(repository.path, files, wanted),
    variableMissing: repository.variables.value.includes(variable) ? undefined : variable,
  };
}
