import { controlPlanes } from '../../model/cluster.ts';
import { isIPv4 } from '../../model/endpoint.ts';
import { valueOf } from '../../model/fact.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** A kubeconfig that leads somewhere else than to the endpoint. */
export const kubeconfigStale: Rule = ({ observation, wanted }) =>
  observation.consumers.kubeconfigs.flatMap(({ file, content }) => {
    if (wanted === undefined || content.kind === 'unknown') return [];
    const entry = content.value?.entry;
    if (entry === undefined) {
      return [
        finding({
          id: 'kubeconfig-stale',
          level: 'error',
          subject: file,
          message: content.value === undefined ? `${file} is not there.` : `${file} has no context for this cluster.`,
          remedy: APPLY,
        }),
      ];
    }
    if (entry.server === wanted.url) return [];
    return [
      finding({
        id: 'kubeconfig-stale',
        level: 'error',
        subject: file,
        message: `The context ${entry.context} in ${file} leads to ${entry.server}, not to the endpoint ${wanted.url}.`,
        remedy: APPLY,
      }),
    ];
  });

const NEAR_MS = 14 * 24 * 3600 * 1000;

export const kubeconfigCredentialEnds: Rule = ({ observation, at }) =>
  observation.consumers.kubeconfigs.flatMap(({ file, content }) => {
    const end = valueOf(content)?.entry?.certificateNotAfter;
    if (end === undefined || Date.parse(end) - at.getTime() > NEAR_MS) return [];
    return [
      finding({
        id: 'kubeconfig-credential-ends',
        level: Date.parse(end) <= at.getTime() ? 'error' : 'warning',
        subject: file,
        message: `The client certificate in ${file} ends at ${end}.`,
        remedy: APPLY,
      }),
    ];
  });

/** talosctl through the VIP hangs when it is needed most: talosconfig lists the nodes' own addresses. */
export const talosconfigNamesEndpoint: Rule = ({ observation, wanted, ip }) =>
  observation.consumers.talosconfigs.flatMap(({ file, content }) => {
    const entry = valueOf(content)?.entry;
    if (entry === undefined) return [];
    const hosts = [...entry.endpoints, ...entry.nodes];
    const bad = [...new Set(hosts.filter((host) => host === ip || host === wanted?.host))];
    if (bad.length === 0) return [];
    return [
      finding({
        id: 'talosconfig-names-endpoint',
        level: 'error',
        subject: file,
        message: `${file} names ${bad.join(', ')}: talosctl must reach each node at its own address, the endpoint moves.`,
        remedy: APPLY,
      }),
    ];
  });

/** Addresses in a talosconfig that are no node's (any more). */
export const talosconfigStale: Rule = ({ observation, wanted, ip }) => {
  if (observation.membership.kind === 'unknown') return [];
  const own = new Set(observation.nodes.flatMap((node) => node.ownAddresses));
  const planes = controlPlanes(observation).flatMap((node) => (node.address === undefined ? [] : [node.address]));
  return observation.consumers.talosconfigs.flatMap(({ file, content }) => {
    const entry = valueOf(content)?.entry;
    if (entry === undefined) return [];
    const strangers = [...new Set([...entry.endpoints, ...entry.nodes])].filter(
      (host) => isIPv4(host) && !own.has(host) && host !== ip && host !== wanted?.host,
    );
    const missing = planes.filter((address) => !entry.endpoints.includes(address));
    if (strangers.length === 0 && missing.length === 0) return [];
    return [
      finding({
        id: 'talosconfig-stale',
        level: 'warning',
        subject: file,
        message: `${file} does not list the control planes as they are now.`,
        evidence: [
          ...(strangers.length > 0 ? [`no node has ${strangers.join(', ')}`] : []),
          ...(missing.length > 0 ? [`not listed: ${missing.join(', ')}`] : []),
        ],
        remedy: APPLY,
      }),
    ];
  });
};
