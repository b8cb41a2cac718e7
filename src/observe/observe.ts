import { isIP } from 'node:net';
import type { LoadedConfig } from '../config/loaded.ts';
import { findAddress, wantedEndpoint } from '../model/address.ts';
import { claims, configuredEndpoints } from '../model/cluster.ts';
import { endpointUrl, parseEndpoint } from '../model/endpoint.ts';
import { type Fact, known, mapFact, unknown, valueOf } from '../model/fact.ts';
import type {
  CloudObservation,
  EndpointProbe,
  KubernetesNode,
  NodeObservation,
  Observation,
} from '../model/observation.ts';
import { observeConsumers } from '../consumers/observe.ts';
import { observeCloud } from './cloud.ts';
import { ask, type Look } from './look.ts';
import { type Member, observeMembers } from './membership.ts';
import { type NodeIdentity, observeNode } from './node.ts';
import type { Workload } from '../systems/kubernetes/types.ts';
import type { Systems } from './systems.ts';
import { TIMEOUTS } from './timeouts.ts';

/**
 * One look at everything, side by side, each question with a time-out of its own. Writes nothing and mints nothing. What could
 * not be read is an unknown in the answer; only an aborted signal is thrown. `earlier` spares the cloud what does not change.
 */
export async function observe(
  systems: Systems,
  loaded: LoadedConfig,
  signal?: AbortSignal,
  earlier?: Observation,
  /** Endpoints to probe besides those that nodes have. */
  probes: readonly string[] = [],
): Promise<Observation> {
  const look: Look = { clock: systems.clock, signal };
  const at = systems.clock.wall().toISOString();
  // Asked at once, needed later: a dead server must not hold up the rest.
  const stored = observeKubernetes(systems, look, systems.kubeContext.server, earlier?.workloads);
  stored.catch(() => {});
  const named = observeName(systems, look, loaded.config.endpoint.host);
  named.catch(() => {});
  const [cloud, consumers] = await Promise.all([
    observeCloud(systems, loaded, look, earlier?.cloud),
    observeConsumers(systems.files, loaded, systems.kubeContext.ca, systems.clock.wall()),
  ]);
  const floating = floatingAddresses(cloud, loaded);
  const members = await observeMembers(systems, look, floating, cloud);
  const kubernetes = await someKubernetes(systems, look, members, cloud, stored, earlier?.workloads);
  const kubernetesNodes = mapFact(kubernetes, (answer) => answer.nodes);
  const nodes = await observeNodes(systems, look, { members, cloud, kubernetesNodes, floating, earlier });
  const current = configuredEndpoints({ nodes });
  const wanted = wantedEndpoint(cloud, loaded);
  const [endpoint, ...currentEndpoints] = await Promise.all([
    wanted === undefined
      ? unknown('the address is not reserved or not known', 'endpoint')
      : probeWanted(systems, look, wanted.url, ledNowhere(cloud, loaded, nodes)).then((probe) =>
          probe === undefined
            ? unknown('not a URL', wanted.url)
            : known(probe, wanted.url, look.clock.wall().toISOString()),
        ),
    ...[...new Set([...current, ...probes])]
      .filter((url) => url !== wanted?.url)
      .map((url) => probeEndpoint(systems, look, url)),
  ]);
  return {
    at,
    cloud,
    nodes,
    membership: mapFact(members, (list) => list.map((member) => member.name)),
    kubernetesNodes,
    workloads: kubernetes.kind === 'known' ? kubernetes.value.workloads : kubernetes,
    kubernetesVersion: mapFact(kubernetes, (answer) => answer.version),
    endpoint,
    ...(await named),
    currentEndpoints: currentEndpoints.filter((probe) => probe !== undefined),
    consumers,
    ...(systems.talosContext.notAfter === undefined
      ? {}
      : { talosCertificateEnds: systems.talosContext.notAfter.toISOString() }),
    ...(systems.kubeOrigin === undefined ? {} : { kubeOrigin: systems.kubeOrigin }),
  };
}

/** Where a name leads is asked for apart from the probe: a name that still leads to one node answers well too. */
async function observeName(
  systems: Systems,
  look: Look,
  name: string | undefined,
): Promise<Pick<Observation, 'endpointName'>> {
  if (name === undefined || isIP(name) !== 0) return {};
  const addresses = await ask(look, `DNS ${name}`, TIMEOUTS.dnsMs, () => systems.resolve(name));
  return { endpointName: { name, addresses } };
}

/** Addresses that move: never a node's own. */
function floatingAddresses(cloud: CloudObservation, loaded: LoadedConfig): ReadonlySet<string> {
  const { adopt } = loaded.config.address;
  return new Set([
    ...(valueOf(cloud.floatingIPs) ?? []).map((f) => f.ip),
    ...(adopt?.ip === undefined ? [] : [adopt.ip]),
  ]);
}

interface KubernetesAnswer {
  readonly version: string;
  readonly nodes: readonly KubernetesNode[];
  readonly workloads: Fact<readonly Workload[]>;
}

const observeKubernetes = (
  systems: Systems,
  look: Look,
  server: string,
  /** As an earlier look of the same run found them: such lists are long. */
  earlier: Observation['workloads'],
): Promise<Fact<KubernetesAnswer>> =>
  ask(look, `kubernetes nodes at ${server}`, TIMEOUTS.kubernetesMs, async (signal) => {
    const { kubeContext } = systems;
    // A name to verify by belongs to the stored server only.
    const tlsServerName = server === kubeContext.server ? kubeContext.tlsServerName : undefined;
    const client = systems.kubernetes({ ...kubeContext, server, tlsServerName });
    try {
      const [version, nodes, workloads] = await Promise.all([
        client.version(signal),
        client.nodes(signal),
        earlier?.kind === 'known'
          ? earlier
          : ask({ ...look, signal }, `workloads at ${server}`, TIMEOUTS.workloadsMs, (own) => client.workloads(own)),
      ]);
      return { version, nodes, workloads };
    } finally {
      client.close();
    }
  });

/** How long the stored server may take before the control planes are asked at their own addresses too. */
const STORED_MS = 700;

/** The stored server's answer; where it is dead or slow, the first of any control plane's own address: they all know the same. */
async function someKubernetes(
  systems: Systems,
  look: Look,
  members: Fact<readonly Member[]>,
  cloud: CloudObservation,
  stored: Promise<Fact<KubernetesAnswer>>,
  earlier: Observation['workloads'],
): Promise<Fact<KubernetesAnswer>> {
  const early = await Promise.race([stored, look.clock.sleep(STORED_MS, look.signal).then(() => undefined)]);
  if (early?.kind === 'known') return early;
  const servers = valueOf(cloud.servers) ?? [];
  const planes = (valueOf(members) ?? []).filter((member) => member.role === 'control-plane');
  const addresses = planes.flatMap((member) => dialAddress(member.addresses, serverOf(servers, member)) ?? []);
  const asked = [
    stored,
    ...addresses.map((address) => observeKubernetes(systems, look, endpointUrl(address, 6443), earlier)),
  ].map(async (question) => {
    const answer = await question;
    if (answer.kind === 'unknown') throw new Error(answer.why);
    return answer;
  });
  return Promise.any(asked).catch(() => stored);
}

interface ServerLike {
  readonly id: number;
  readonly name: string;
  readonly publicIPv4: string | undefined;
  readonly privateIPv4: readonly { readonly ip: string }[];
}

/** A node and a server are one where they share an address, else where they have the same name (unique in a project). */
function serverOf<S extends ServerLike>(
  servers: readonly S[],
  member: Pick<Member, 'name' | 'addresses'>,
): S | undefined {
  const byAddress = servers.find(
    (server) =>
      (server.publicIPv4 !== undefined && member.addresses.includes(server.publicIPv4)) ||
      server.privateIPv4.some((net) => member.addresses.includes(net.ip)),
  );
  return byAddress ?? servers.find((server) => server.name === member.name);
}

const dialAddress = (addresses: readonly string[], server: ServerLike | undefined): string | undefined =>
  server?.publicIPv4 ?? addresses.find((address) => !address.includes(':')) ?? addresses[0];

interface Known {
  readonly members: Fact<readonly Member[]>;
  readonly cloud: CloudObservation;
  readonly kubernetesNodes: Fact<readonly KubernetesNode[]>;
  readonly floating: ReadonlySet<string>;
  readonly earlier: Observation | undefined;
}

async function observeNodes(systems: Systems, look: Look, facts: Known): Promise<NodeObservation[]> {
  const members = valueOf(facts.members) ?? [];
  const kubernetes = valueOf(facts.kubernetesNodes) ?? [];
  const strangers = kubernetes
    .filter((node) => !members.some((member) => member.name === node.name))
    .map((node): Member => ({ name: node.name, role: 'unknown', addresses: node.addresses.map((a) => a.address) }));
  const first = await Promise.all(
    [...members, ...strangers].map((member) => observeNode(systems, identify(member, facts), look)),
  );
  const etcd = first.flatMap((node) => (node.etcd === undefined ? [] : (valueOf(node.etcd.members) ?? [])));
  const voters = new Set(etcd.map((member) => member.hostname));
  const seen = first.map((node): NodeObservation =>
    node.role === 'unknown' && voters.has(node.name) ? { ...node, role: 'control-plane' } : node,
  );
  const missing = [...voters].filter((name) => name !== '' && !seen.some((node) => node.name === name));
  const late = await Promise.all(
    missing.map((name) => {
      const urls = etcd.filter((m) => m.hostname === name).flatMap((m) => [...m.peerUrls, ...m.clientUrls]);
      const addresses = [...new Set(urls.flatMap((url) => parseEndpoint(url)?.host ?? []))];
      return observeNode(systems, identify({ name, role: 'control-plane', addresses }, facts), look);
    }),
  );
  return [...seen, ...late].toSorted((a, b) => a.name.localeCompare(b.name, 'en'));
}

function identify(member: Member, { cloud, kubernetesNodes, floating, earlier }: Known): NodeIdentity {
  const server = serverOf(valueOf(cloud.servers) ?? [], member);
  const kubernetes = (valueOf(kubernetesNodes) ?? []).find((node) => node.name === member.name);
  const own = [
    ...(server?.publicIPv4 === undefined ? [] : [server.publicIPv4]),
    ...(server?.privateIPv4 ?? []).map((net) => net.ip),
    ...member.addresses,
  ].filter((address) => !floating.has(address) && address !== member.name);
  const ownAddresses = [...new Set(own)];
  return {
    name: member.name,
    role: member.role,
    address: dialAddress(ownAddresses, server),
    ownAddresses,
    server,
    kubernetes,
    clock: earlier?.nodes.find((node) => node.name === member.name)?.clock,
  };
}

/**
 * Whether the address is known to lead nowhere: the cloud routes it to nobody and no node has it. To dial it then would only wait for
 * a silence that is certain.
 */
function ledNowhere(cloud: CloudObservation, loaded: LoadedConfig, nodes: readonly NodeObservation[]): boolean {
  const address = findAddress(cloud, loaded);
  return (
    loaded.config.endpoint.host === undefined &&
    address.kind === 'found' &&
    address.floatingIP.server === null &&
    nodes.every((node) => node.links.kind === 'known' && !claims(node, address.floatingIP.ip))
  );
}

function probeWanted(systems: Systems, look: Look, url: string, nowhere: boolean): Promise<EndpointProbe | undefined> {
  if (!nowhere) return probeEndpoint(systems, look, url);
  const silence = {
    kind: 'failed',
    reason: 'unreachable',
    message: 'not dialled: the address is assigned to no server and on no link',
  } as const;
  return Promise.resolve({ url, handshake: silence, ready: silence });
}

async function probeEndpoint(systems: Systems, look: Look, url: string): Promise<EndpointProbe | undefined> {
  look.signal?.throwIfAborted();
  const place = parseEndpoint(url);
  if (place === undefined) return undefined;
  const context = { ...systems.kubeContext, server: url, tlsServerName: undefined };
  const [shaken, ready] = await Promise.all([
    systems.handshake(place.host, place.port, { ca: context.ca, timeoutMs: TIMEOUTS.probeMs }),
    systems.ready(context, '/readyz', { timeoutMs: TIMEOUTS.probeMs }),
  ]);
  return { url, handshake: shaken, ready };
}
