import type { LoadedConfig } from '../config/loaded.ts';
import type { Finding, Verification } from '../model/finding.ts';
import type { Observation } from '../model/observation.ts';
import { type Rule, subjectOf } from './rule.ts';
import { addressHeldByStranger, addressNotThere, addressUnprotected } from './rules/address.ts';
import { certificateExpires, certificateUntrusted, sanMissing } from './rules/certificates.ts';
import { addressUnassigned, assignedButUnclaimed, claimedTwice, vipMissing, vipOnWorker } from './rules/claims.ts';
import {
  kubeconfigCredentialEnds,
  kubeconfigStale,
  talosconfigNamesEndpoint,
  talosconfigStale,
} from './rules/consumers.ts';
import { endpointDiffersBetweenNodes, endpointNotAsConfigured } from './rules/endpoint-differs.ts';
import { endpointIsANode } from './rules/endpoint-is-a-node.ts';
import { endpointNameElsewhere } from './rules/endpoint-name.ts';
import { currentEndpointDead, endpointUnreachable } from './rules/endpoint-unreachable.ts';
import {
  alarmRaised,
  learnerPresent,
  memberListsDiffer,
  memberWithoutNode,
  noLeader,
  votersTooFew,
} from './rules/etcd.ts';
import { issuerDiffers, issuerNotPinned } from './rules/issuer.ts';
import { addressIsNodeIP, apiNotReady, configPending, hostnameTwice, nodeUnreachable } from './rules/nodes.ts';
import { repositoryPatchesMissing } from './rules/repository.ts';
import { nodeTokenOtherProject, tokensSame, tokenWeak } from './rules/tokens.ts';
import { unknownsOf } from './unknowns.ts';

/** In the order in which one finding explains another: the first error without a cause of its own is the root. */
const RULES: readonly Rule[] = [
  noLeader,
  tokenWeak,
  endpointIsANode,
  addressNotThere,
  addressHeldByStranger,
  nodeTokenOtherProject,
  hostnameTwice,
  addressIsNodeIP,
  claimedTwice,
  vipMissing,
  assignedButUnclaimed,
  addressUnassigned,
  certificateUntrusted,
  sanMissing,
  endpointNameElsewhere,
  issuerDiffers,
  endpointDiffersBetweenNodes,
  endpointNotAsConfigured,
  memberWithoutNode,
  nodeUnreachable,
  votersTooFew,
  learnerPresent,
  alarmRaised,
  memberListsDiffer,
  configPending,
  apiNotReady,
  endpointUnreachable,
  currentEndpointDead,
  certificateExpires,
  repositoryPatchesMissing,
  kubeconfigStale,
  kubeconfigCredentialEnds,
  talosconfigNamesEndpoint,
  talosconfigStale,
  issuerNotPinned,
  addressUnprotected,
  vipOnWorker,
  tokensSame,
];

/**
 * Which rule explains which, when both speak. Left: what is seen; right: what may be behind it, most likely first. Before the
 * change everything that the change will bring is missing because the endpoint is still a node.
 */
const EXPLAINED_BY: Readonly<Record<string, readonly string[]>> = {
  'endpoint-unreachable': [
    'etcd-no-leader',
    'address-missing',
    'address-not-reserved',
    'address-claimed-twice',
    'claimed-elsewhere',
    'assigned-but-unclaimed',
    'address-unassigned',
    'address-foreign',
    'address-on-worker',
    'vip-missing',
    'endpoint-name-elsewhere',
    'certificate-untrusted',
    'san-missing',
    'api-not-ready',
    'node-unreachable',
  ],
  'address-unassigned': [
    'vip-missing',
    'token-read-only',
    'token-unauthorized',
    'node-token-other-project',
    'etcd-no-leader',
  ],
  'assigned-but-unclaimed': ['vip-missing', 'node-unreachable', 'etcd-no-leader'],
  'claimed-elsewhere': [],
  'vip-missing': ['endpoint-is-a-node'],
  'san-missing': ['endpoint-is-a-node'],
  'address-not-reserved': ['endpoint-is-a-node'],
  'kubeconfig-stale': ['endpoint-is-a-node', 'endpoint-differs-between-nodes', 'endpoint-not-as-configured'],
  'repository-patches-missing': ['endpoint-is-a-node'],
  'endpoint-differs-between-nodes': ['repository-patches-missing'],
  'current-endpoint-dead': ['endpoint-is-a-node', 'endpoint-not-as-configured', 'node-unreachable'],
  'api-not-ready': ['etcd-no-leader', 'etcd-alarm'],
  'etcd-no-leader': ['node-unreachable'],
  'talosconfig-stale': ['node-unreachable'],
};

/** Everything that the facts say is wrong, with the root of it. Pure: the same observation gives the same answer. */
export function diagnose(observation: Observation, loaded: LoadedConfig): Verification {
  const subject = subjectOf(observation, loaded);
  const raw = RULES.flatMap((rule) => rule(subject));
  const ids = new Set(raw.filter((f) => f.level === 'error').map((f) => f.id));
  const findings = raw.map((f) => ({ ...f, causedBy: explain(f, ids) }));
  const unknowns = unknownsOf(observation, loaded);
  const errors = findings.filter((f) => f.level === 'error');
  const root = errors.find((f) => f.causedBy === null) ?? errors[0];
  return {
    apiVersion: 'fairlead/v1alpha1',
    kind: 'Verification',
    verdict: errors.length > 0 ? 'broken' : unknowns.length > 0 ? 'unknown' : 'sound',
    cause: root?.id ?? null,
    findings: findings.toSorted((a, b) => RANK[a.level] - RANK[b.level]),
    unknowns,
  };
}

const RANK = { error: 0, warning: 1, info: 2 } as const;

function explain(finding: Finding, present: ReadonlySet<string>): string | null {
  const causes = [...(finding.causedBy === null ? [] : [finding.causedBy]), ...(EXPLAINED_BY[finding.id] ?? [])];
  return causes.find((id) => id !== finding.id && present.has(id)) ?? null;
}
