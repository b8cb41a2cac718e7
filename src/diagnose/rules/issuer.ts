import { controlPlanes } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import { issuerState } from '../../model/issuer.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** Control planes that sign tokens with different issuers refuse each other's. */
export const issuerDiffers: Rule = ({ observation }) => {
  const state = issuerState(observation);
  if (state.kind !== 'differs') return [];
  return [
    finding({
      id: 'issuer-differs-between-nodes',
      level: 'error',
      subject: 'service-account-issuer',
      message: 'The control planes sign service-account tokens with different issuers and refuse each other’s tokens.',
      evidence: state.byNode.map(({ node, issuer }) => `${node}: ${issuer}`),
      remedy:
        'Decide on the issuer that living tokens carry and pin it (service-account-issuer, api-audiences) on every control plane.',
    }),
  ];
};

/** The issuer follows the endpoint: to change the endpoint now would make every token worthless. */
export const issuerNotPinned: Rule = ({ observation, wanted }) =>
  controlPlanes(observation).flatMap((node) => {
    const config = valueOf(node.config);
    if (config === undefined || config.pinnedIssuer !== undefined || config.endpoint === wanted?.url) return [];
    return [
      finding({
        id: 'issuer-not-pinned',
        level: 'warning',
        subject: node.name,
        message: `On ${node.name} the service-account issuer follows the endpoint (${config.endpoint ?? 'none'}): changing it there would make every token worthless.`,
        remedy: APPLY,
      }),
    ];
  });
