import { valueOf } from '../../model/fact.ts';
import { finding, type Rule } from '../rule.ts';

/** The endpoint that is wanted does not answer with a certificate that covers it and a ready API server behind it. */
export const endpointUnreachable: Rule = ({ observation }) => {
  const probe = valueOf(observation.endpoint);
  if (probe === undefined) return [];
  const { handshake, ready, url } = probe;
  if (handshake.kind === 'served' && handshake.trusted && ready.kind === 'answered' && ready.status === 200) return [];
  const evidence = [
    handshake.kind === 'failed'
      ? `TLS: ${handshake.reason}: ${handshake.message}`
      : handshake.trusted
        ? 'TLS: trusted'
        : `TLS: ${handshake.problem ?? 'not trusted'}`,
    ready.kind === 'failed' ? `/readyz: ${ready.reason}: ${ready.message}` : `/readyz: ${ready.status}`,
  ];
  return [
    finding({
      id: 'endpoint-unreachable',
      level: 'error',
      subject: url,
      message: `The endpoint ${url} does not lead to a ready API server that clients would trust.`,
      evidence,
      remedy: 'See the finding that explains it; until then use the own address of a control plane.',
    }),
  ];
};

/** What clients have stored now leads nowhere. */
export const currentEndpointDead: Rule = ({ observation }) =>
  observation.currentEndpoints.flatMap(({ url, handshake, ready }) => {
    if (handshake.kind === 'served' && ready.kind === 'answered' && ready.status === 200) return [];
    return [
      finding({
        id: 'current-endpoint-dead',
        level: 'error',
        subject: url,
        message: `The endpoint that the nodes have now, ${url}, does not answer.`,
        evidence: [
          handshake.kind === 'failed' ? `TLS: ${handshake.reason}: ${handshake.message}` : 'TLS: served',
          ready.kind === 'failed' ? `/readyz: ${ready.reason}: ${ready.message}` : `/readyz: ${ready.status}`,
        ],
        remedy: 'Use the own address of a living control plane until the endpoint is moved.',
      }),
    ];
  });
