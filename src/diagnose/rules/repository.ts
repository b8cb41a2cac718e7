import { repositoryStanding } from '../../consumers/repository/standing.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** A node that is made anew would not get the endpoint, its names, the issuer or the VIP: it would bring the old state back. */
export const repositoryPatchesMissing: Rule = ({ observation, loaded, goal }) => {
  const { repository } = observation.consumers;
  if (repository === undefined || loaded.config.mode !== 'talos-vip' || goal.provisional) return [];
  const standing = repositoryStanding(observation, goal, loaded.config.talosVip?.variable ?? 'TALOS_VIP_TOKEN');
  if (standing === undefined) return [];
  const evidence = [
    ...standing.changes.map((change) => `${change.file}: ${change.kind === 'write' ? change.purpose : change.why}`),
    ...(standing.variableMissing === undefined
      ? []
      : [`${repository.path}/env does not set ${standing.variableMissing}`]),
  ];
  if (evidence.length === 0) return [];
  return [
    finding({
      id: 'repository-patches-missing',
      level: 'error',
      subject: repository.path,
      message: `A node made anew from ${repository.path} would not come up with this endpoint.`,
      evidence,
      remedy: APPLY,
    }),
  ];
};
