import { configuredEndpoints, nodeOfAddress } from '../../model/cluster.ts';
import { parseEndpoint } from '../../model/endpoint.ts';
import { valueOf } from '../../model/fact.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** Nodes that were given different endpoints: a change that stopped half-way, or a node that came back with an old one. */
export const endpointDiffersBetweenNodes: Rule = ({ observation }) => {
  const endpoints = configuredEndpoints(observation);
  if (endpoints.length < 2) return [];
  const evidence = observation.nodes.flatMap((node) => {
    const endpoint = valueOf(node.config)?.endpoint;
    return endpoint === undefined ? [] : [`${node.name}: ${endpoint}`];
  });
  return [
    finding({
      id: 'endpoint-differs-between-nodes',
      level: 'error',
      subject: 'cluster.controlPlane.endpoint',
      message: `The nodes have ${endpoints.length} different endpoints.`,
      evidence,
      remedy: APPLY,
    }),
  ];
};

/** The endpoint is neither a node's own address nor the one that the configuration asks for. */
export const endpointNotAsConfigured: Rule = ({ observation, wanted }) => {
  if (wanted === undefined) return [];
  return configuredEndpoints(observation).flatMap((endpoint) => {
    const host = parseEndpoint(endpoint)?.host;
    if (endpoint === wanted.url || (host !== undefined && nodeOfAddress(observation, host) !== undefined)) return [];
    const holders = observation.nodes.filter((n) => valueOf(n.config)?.endpoint === endpoint).map((n) => n.name);
    return [
      finding({
        id: 'endpoint-not-as-configured',
        level: 'error',
        subject: endpoint,
        message: `The endpoint on ${holders.join(', ')} is ${endpoint}, the configuration asks for ${wanted.url}.`,
        remedy: APPLY,
      }),
    ];
  });
};
