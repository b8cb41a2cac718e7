import { startKubelet, type ApiAddress } from '../../kubernetes/stand-ins/kubelet.ts';
import { kubeletCertificateFromPeers } from '../api/trust.ts';
import { argValue } from '../control-plane/api-server-args.ts';
import { issueLeaf } from '../control-plane/certificates.ts';
import type { ActiveConfig, Machine } from '../machine.ts';
import { settingsOf } from '../resources/settings.ts';
import { shownPods } from '../resources/static-pods.ts';

/** The kubelet's visible work towards the API: this machine's Node object and its heartbeats. */
export interface NodeAgent {
  /** The API has been told of this machine since it booted. */
  readonly registered: boolean;
  stop(): void;
}

const API_PORT = '6443';

/** A control plane tells its own API server, behind the fabric; a worker those that its KubePrism knows. */
export function startNodeAgent(machine: Machine, active: ActiveConfig, signal: AbortSignal): NodeAgent {
  const { facts, ports, role, times } = machine;
  const { clusterCA } = active.derived.pki;
  const plane = role === 'control-plane';
  let registered = false;

  const own = (): readonly ApiAddress[] => {
    const port = argValue(machine.active?.derived.kubeAPIServerArgs ?? [], '--secure-port') ?? API_PORT;
    // The machine's `localhost` is its hidden address; the certificate names the former.
    return [{ server: `https://${ports.host.hidden}:${port}`, serverName: 'localhost' }];
  };
  const others = (): readonly ApiAddress[] =>
    ports
      .peers()
      .filter((peer) => peer.role === 'control-plane')
      .map((peer) => ({
        server: `https://${peer.privateIPv4}:${peer.apiPort}`,
        localAddress: ports.host.hidden,
      }));
  /** Guess: it calls its private address its own; one that it only borrows, when Talos takes that for the machine's. */
  const nodeIP = (): string => {
    const chosen = (machine.active ?? active).derived.kubeletNodeIPs[0];
    return chosen !== undefined && machine.claims.has(chosen) ? chosen : facts.privateIPv4;
  };
  const client = (commonName: string, organization: string) =>
    issueLeaf(ports.clock, clusterCA, { commonName, organizations: [organization], usages: ['clientAuth'] });

  const kubelet = startKubelet({
    clock: ports.clock,
    heartbeatMs: times.heartbeatMs,
    facts: () => ({
      name: facts.hostname,
      role,
      serverId: facts.serverId,
      privateIPv4: nodeIP(),
      publicIPv4: facts.publicIPv4,
      talosVersion: ports.version,
      kubeletVersion: (machine.active ?? active).derived.kubernetesVersion,
      machineId: machine.nodeId,
      bootId: machine.bootId,
    }),
    pods() {
      const settings = plane ? settingsOf(machine) : undefined;
      return settings === undefined ? [] : shownPods(machine, settings);
    },
    api: plane ? own : others,
    clusterCA: clusterCA.crt,
    credential: (until) =>
      plane
        ? client(`system:node:${facts.hostname}`, 'system:nodes')
        : kubeletCertificateFromPeers(machine, active, until),
    talos: plane ? () => client('talos', 'system:masters') : undefined,
    ready() {
      registered = true;
      machine.changed();
    },
    log: (line) => machine.log(line),
  });
  signal.addEventListener('abort', () => kubelet.stop(), { once: true });

  return {
    get registered() {
      return registered;
    },
    stop: () => kubelet.stop(),
  };
}
