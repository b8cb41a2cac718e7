import { configuredEndpoints, nodeOfAddress } from '../../model/cluster.ts';
import { parseEndpoint } from '../../model/endpoint.ts';
import { valueOf } from '../../model/fact.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** The endpoint is one node's own address: it dies with that node. The problem that fairlead exists for. */
export const endpointIsANode: Rule = ({ observation }) =>
  configuredEndpoints(observation).flatMap((endpoint) => {
    const host = parseEndpoint(endpoint)?.host;
    const node = host === undefined ? undefined : nodeOfAddress(observation, host);
    if (node === undefined) return [];
    const holders = observation.nodes.filter((n) => valueOf(n.config)?.endpoint === endpoint).map((n) => n.name);
    return [
      finding({
        id: 'endpoint-is-a-node',
        level: 'error',
        subject: endpoint,
        message: `The endpoint ${endpoint} is the own address of ${node.name}: it dies with that node.`,
        evidence: [`cluster.controlPlane.endpoint is ${endpoint} on ${holders.join(', ')}`, `${node.name} has ${host}`],
        remedy: APPLY,
      }),
    ];
  });
