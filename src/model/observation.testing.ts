import { Redacted } from '../base/redacted.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import { parseConfig } from '../config/parse.ts';
import type { FloatingIP, Server } from '../systems/hetzner/types.ts';
import type { EtcdMember } from '../systems/talos/types.ts';
import { sha256 } from '../base/digest.ts';
import { endpointUrl } from './endpoint.ts';
import { type Fact, known } from './fact.ts';
import type { KubeconfigContent, NodeConfig, NodeObservation, Observation } from './observation.ts';

/** Observations for tests: a healthy cluster of three control planes and one worker, as it is before and after the change. */

export const AT = '2026-11-24T12:00:00.000Z';
export const IP = '198.51.100.20';
export const WANTED = endpointUrl(IP, 6443);
export const OLD = 'https://203.0.113.1:6443';

export const fact = <T>(value: T): Fact<T> => known(value, 'test', AT);

const CONFIG = `apiVersion: fairlead/v1alpha1
kind: Cluster
name: prod
mode: talos-vip
address: { adopt: { ip: ${IP} } }
hetzner: { token: env:A }
talosVip: { token: env:B }
talos: { config: env:C }
kubernetes: { kubeconfig: env:D }
`;

export function loadedConfig(text = CONFIG): LoadedConfig {
  return {
    file: '/home/me/fairlead.yaml',
    config: parseConfig(text, 'fairlead.yaml'),
    hetznerToken: new Redacted('own-token-0123456789'),
    vipToken: new Redacted('node-token-0123456789'),
    talosconfig: { text: new Redacted(''), source: 'env:C' },
    kubeconfig: { text: new Redacted(''), source: 'env:D' },
    stateDir: '/home/me/.fairlead/state',
    journal: { recipients: [], identity: undefined },
    consumers: { kubeconfig: [], talosconfig: [], repository: undefined },
  };
}

export const server = (id: number, name: string, ip: string, privateIp: string): Server => ({
  id,
  name,
  status: 'running',
  publicIPv4: ip,
  privateIPv4: [{ network: 1, ip: privateIp, aliasIps: [] }],
  floatingIPs: [],
  labels: {},
  location: 'fsn1',
  networkZone: 'eu-central',
});

export const floatingIP = (holder: number | null): FloatingIP => ({
  id: 7,
  name: 'prod-api',
  ip: IP,
  type: 'ipv4',
  server: holder,
  labels: {},
  homeLocation: 'fsn1',
  networkZone: 'eu-central',
  protected: true,
});

export function nodeConfig(parts: Partial<NodeConfig> & { readonly body?: string } = {}): NodeConfig {
  const { body = 'version: v1alpha1\n', ...rest } = parts;
  const endpoint = rest.endpoint ?? OLD;
  return {
    text: new Redacted(body),
    sha256: sha256(body),
    role: undefined,
    clusterName: 'prod',
    endpoint,
    endpointForm: 'legacy',
    apiServerPort: 6443,
    certSANs: [],
    machineCertSANs: [],
    pinnedIssuer: undefined,
    issuers: [rest.pinnedIssuer ?? endpoint],
    vips: [],
    kubePrism: true,
    ...rest,
  };
}

export const MEMBERS: readonly EtcdMember[] = [1, 2, 3].map((n) => ({
  id: BigInt(n * 17),
  hostname: `cp-${n}`,
  peerUrls: [`https://10.0.0.${n}:2380`],
  clientUrls: [`https://10.0.0.${n}:2379`],
  isLearner: false,
}));

export function controlPlane(n: number, parts: Partial<NodeObservation> = {}): NodeObservation {
  const [ip, privateIp] = [`203.0.113.${n}`, `10.0.0.${n}`];
  const config = nodeConfig();
  return {
    name: `cp-${n}`,
    role: 'control-plane',
    address: ip,
    ownAddresses: [ip, privateIp],
    server: server(100 + n, `cp-${n}`, ip, privateIp),
    kubernetes: { name: `cp-${n}`, ready: true, addresses: [] },
    talosVersion: fact('v1.13.9'),
    config: fact(config),
    persistentSha256: fact(config.sha256),
    links: fact([
      { link: 'eth0', address: `${ip}/32` },
      { link: 'eth1', address: `${privateIp}/32` },
    ]),
    linkFacts: fact([{ name: 'eth0', facts: { busPath: '0000:01:00.0', driver: 'virtio_net', physical: true } }]),
    stage: fact({ stage: 'running', ready: true, unmet: [] }),
    services: fact(['etcd', 'kubelet', 'apid'].map((id) => ({ id, state: 'Running', healthy: true }))),
    etcd: {
      members: fact(MEMBERS),
      status: fact({
        memberId: BigInt(n * 17),
        leader: 17n,
        raftTerm: 4n,
        raftIndex: 1000n + BigInt(n),
        raftAppliedIndex: 1000n + BigInt(n),
        dbSize: 1_000_000n,
        isLearner: false,
        errors: [],
      }),
      alarms: fact([]),
    },
    certificate: fact({
      serial: `0${n}`,
      names: [`cp-${n}`, ip, privateIp, 'kubernetes', '203.0.113.1'],
      notAfter: '2027-11-24T12:00:00.000Z',
      trusted: true,
    }),
    apiReady: fact({ kind: 'answered', status: 200, body: 'ok', ms: 3 }),
    ...parts,
  };
}

export function worker(n: number, parts: Partial<NodeObservation> = {}): NodeObservation {
  const [ip, privateIp] = [`203.0.113.${50 + n}`, `10.0.0.${50 + n}`];
  return {
    ...controlPlane(n),
    name: `worker-${n}`,
    role: 'worker',
    address: ip,
    ownAddresses: [ip, privateIp],
    server: server(200 + n, `worker-${n}`, ip, privateIp),
    links: fact([{ link: 'eth0', address: `${ip}/32` }]),
    services: fact(['kubelet', 'apid'].map((id) => ({ id, state: 'Running', healthy: true }))),
    etcd: undefined,
    certificate: undefined,
    apiReady: undefined,
    ...parts,
  };
}

export function observation(nodes: readonly NodeObservation[], parts: Partial<Observation> = {}): Observation {
  return {
    at: AT,
    cloud: {
      servers: fact(nodes.flatMap((node) => node.server ?? [])),
      floatingIPs: fact([floatingIP(null)]),
      locations: fact([{ name: 'fsn1', networkZone: 'eu-central' }]),
      token: fact('read-write' as const),
      nodeToken: { same: false, class: fact('read-write' as const), floatingIPs: fact([{ id: 7, ip: IP }]) },
    },
    nodes,
    membership: fact(nodes.map((node) => node.name)),
    kubernetesNodes: fact([]),
    kubernetesVersion: fact('v1.36.3'),
    endpoint: fact({
      url: WANTED,
      handshake: { kind: 'failed', reason: 'timeout', message: 'no answer' },
      ready: { kind: 'failed', reason: 'timeout', message: 'no answer' },
    }),
    currentEndpoints: [],
    consumers: { kubeconfigs: [], talosconfigs: [], repository: undefined },
    ...parts,
  };
}

/** Three control planes and a worker, the endpoint being the first one's own address: the problem. */
export const pinned = (parts: Partial<Observation> = {}): Observation =>
  observation([controlPlane(1), controlPlane(2), controlPlane(3), worker(1)], parts);

/** The same cluster when all is done: the address is with cp-2. */
export function finished(parts: Partial<Observation> = {}): Observation {
  const config = nodeConfig({
    endpoint: WANTED,
    pinnedIssuer: OLD,
    certSANs: [IP, '203.0.113.1'],
    vips: [{ ip: IP, form: 'document', provider: 'hcloud' }],
  });
  const nodes = [1, 2, 3].map((n) => {
    const plane = controlPlane(n, { config: fact(config), persistentSha256: fact(config.sha256) });
    const certificate = plane.certificate?.kind === 'known' ? plane.certificate.value : undefined;
    const links = plane.links.kind === 'known' ? plane.links.value : [];
    return {
      ...plane,
      ...(certificate === undefined
        ? {}
        : { certificate: fact({ ...certificate, names: [...certificate.names, IP] }) }),
      links: fact(n === 2 ? [...links, { link: 'eth0', address: `${IP}/32` }] : links),
    };
  });
  const workerConfig = nodeConfig({ endpoint: WANTED });
  const all = [...nodes, worker(1, { config: fact(workerConfig), persistentSha256: fact(workerConfig.sha256) })];
  const base = observation(all);
  return {
    ...base,
    cloud: { ...base.cloud, floatingIPs: fact([floatingIP(102)]) },
    endpoint: fact({
      url: WANTED,
      handshake: {
        kind: 'served',
        serial: '02',
        dnsNames: [],
        ipAddresses: [IP],
        notAfter: new Date('2027-11-24T12:00:00.000Z'),
        trusted: true,
      },
      ready: { kind: 'answered', status: 200, body: 'ok', ms: 4 },
    }),
    ...parts,
  };
}

export const kubeconfigOf = (server: string): KubeconfigContent => ({
  sha256: 'aa',
  text: new Redacted('text'),
  contexts: ['admin@prod'],
  entry: { context: 'admin@prod', server, caSha256: 'cc', certificateNotAfter: '2027-11-24T12:00:00.000Z' },
});
