import { claimants, etcdLeader, nodeOfServer } from '../../model/cluster.ts';
import { type Fact, valueOf } from '../../model/fact.ts';
import type { EndpointProbe, NodeObservation, Observation } from '../../model/observation.ts';
import { findAddress, wantedEndpoint } from '../../model/address.ts';
import type { LoadedConfig } from '../../config/loaded.ts';
import { answers, probeText } from '../../plan/proof.ts';
import { table } from '../output.ts';
import { type Paint, plain } from './paint.ts';

/** What is true now, in one screen. */
export function renderStatus(observation: Observation, loaded: LoadedConfig, paint: Paint = plain): string {
  const status = statusDocument(observation, loaded);
  const { address, endpoint } = status;
  return [
    `${paint('bold', `Cluster ${loaded.config.name}`)} (mode ${loaded.config.mode}), ${observation.at}`,
    '',
    `endpoint  ${endpoint.wanted ?? 'not known yet'}: ${paint(endpoint.answers ? 'green' : 'red', endpoint.text)}`,
    ...endpoint.current.map(
      (current) => `now       ${current.url}: ${paint(current.answers ? 'green' : 'red', current.text)}`,
    ),
    `address   ${address.ip ?? address.state}${address.ip === undefined ? '' : `, assigned to ${address.assignedTo ?? 'nobody'}, claimed by ${address.claimedBy.join(', ') || 'nobody'}`}`,
    '',
    table([
      ['NODE', 'ROLE', 'ADDRESS', 'TALOS', 'STAGE', 'API', 'ETCD', 'ENDPOINT', 'VIP'],
      ...status.nodes.map((node) => [
        node.name,
        node.role,
        node.address ?? '-',
        node.talosVersion ?? 'no answer',
        node.stage ?? '-',
        node.api ?? '-',
        node.etcd ?? '-',
        node.endpoint ?? '-',
        node.vip.join(', ') || '-',
      ]),
    ]),
  ].join('\n');
}

export interface StatusDocument extends Record<string, unknown> {
  readonly kind: 'Status';
  readonly cluster: string;
  readonly mode: string;
  readonly at: string;
  readonly endpoint: {
    readonly wanted: string | undefined;
    readonly answers: boolean;
    readonly text: string;
    readonly current: readonly { readonly url: string; readonly answers: boolean; readonly text: string }[];
  };
  readonly address: {
    readonly state: string;
    readonly ip: string | undefined;
    readonly id: number | undefined;
    readonly assignedTo: string | undefined;
    readonly claimedBy: readonly string[];
  };
  readonly nodes: readonly NodeStatus[];
}

interface NodeStatus {
  readonly name: string;
  readonly role: string;
  readonly address: string | undefined;
  readonly serverId: number | undefined;
  readonly talosVersion: string | undefined;
  readonly stage: string | undefined;
  readonly api: string | undefined;
  readonly etcd: string | undefined;
  readonly endpoint: string | undefined;
  readonly vip: readonly string[];
}

/** The same as a document. */
export function statusDocument(observation: Observation, loaded: LoadedConfig): StatusDocument {
  const state = findAddress(observation.cloud, loaded);
  const floatingIP = state.kind === 'found' ? state.floatingIP : undefined;
  const holder = floatingIP === undefined ? undefined : nodeOfServer(observation, floatingIP.server);
  const leader = etcdLeader(observation);
  const probe = valueOf(observation.endpoint);
  return {
    kind: 'Status',
    cluster: loaded.config.name,
    mode: loaded.config.mode,
    at: observation.at,
    endpoint: {
      wanted: wantedEndpoint(observation.cloud, loaded)?.url,
      answers: probe !== undefined && answers(probe),
      text: probe === undefined ? whyNot(observation.endpoint) : probeText(probe),
      current: observation.currentEndpoints.map((p: EndpointProbe) => ({
        url: p.url,
        answers: answers(p),
        text: probeText(p),
      })),
    },
    address: {
      state: state.kind,
      ip: floatingIP?.ip,
      id: floatingIP?.id,
      assignedTo:
        holder?.name ??
        (floatingIP?.server === null || floatingIP === undefined ? undefined : `server ${floatingIP.server}`),
      claimedBy: floatingIP === undefined ? [] : claimants(observation, floatingIP.ip).nodes.map((node) => node.name),
    },
    nodes: observation.nodes.map((node) => nodeStatus(node, node === leader)),
  };
}

const whyNot = (fact: Fact<unknown>): string => (fact.kind === 'unknown' ? fact.why : '');

function nodeStatus(node: NodeObservation, leads: boolean): NodeStatus {
  const stage = valueOf(node.stage);
  const ready = node.apiReady === undefined ? undefined : valueOf(node.apiReady);
  const etcd = node.etcd === undefined ? undefined : valueOf(node.etcd.status);
  const config = valueOf(node.config);
  return {
    name: node.name,
    role: node.role,
    address: node.address,
    serverId: node.server?.id,
    talosVersion: valueOf(node.talosVersion),
    stage: stage === undefined ? undefined : stage.ready ? stage.stage : `${stage.stage}, not ready`,
    api:
      ready === undefined
        ? undefined
        : ready.kind === 'failed'
          ? ready.reason
          : ready.status === 200
            ? 'ready'
            : String(ready.status),
    etcd: etcd === undefined ? undefined : leads ? 'leader' : etcd.isLearner ? 'learner' : 'follower',
    endpoint: config?.endpoint,
    vip: (config?.vips ?? []).map((vip) => vip.ip),
  };
}
