import { repositoryPhase } from '../../plan/phases/repository.ts';
import { planContext } from '../../plan/context.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** A node that is made anew would not get the endpoint, its names, the issuer or the VIP: it would bring the old state back. */
export const repositoryPatchesMissing: Rule = ({ observation, loaded }) => {
  const { repository } = observation.consumers;
  if (repository === undefined || loaded.config.mode !== 'talos-vip') return [];
  const { changes, refusals } = repositoryPhase(planContext(observation, loaded));
  if (changes.length === 0 && refusals.length === 0) return [];
  return [
    finding({
      id: 'repository-patches-missing',
      level: 'error',
      subject: repository.path,
      message: `A node made anew from ${repository.path} would not come up with this endpoint.`,
      evidence: [
        ...changes.map((change) => change.what),
        ...refusals.map((refusal) => `${refusal.what}: ${refusal.why}`),
      ],
      remedy: APPLY,
    }),
  ];
};
