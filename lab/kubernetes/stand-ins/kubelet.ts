import type { Clock } from '../../../src/base/clock.ts';
import { textOf } from '../../../src/base/failure.ts';
import type { KeyPair } from '../../pki/types.ts';
import { recordAt, stringAt } from '../api-server/objects/types.ts';
import { createApiClient, type ApiAccess, type ApiClient } from '../http.ts';
import { microTime } from './conditions.ts';
import { createMirrorPods, type Call, type ShownPod } from './mirror-pods.ts';
import { CONTROL_PLANE_LABEL, differsFrom, newNode, providerIdOf, statusOf, type NodeFacts } from './node-object.ts';

/** An API server, without the credential: https://address:port, and the certificate's name where that is not the address. */
export type ApiAddress = Pick<ApiAccess, 'server' | 'serverName' | 'localAddress'>;

export interface KubeletPorts {
  readonly clock: Clock;
  /** Between two heartbeats; a kubelet's own figure is 10 s. */
  readonly heartbeatMs: number;
  /** The machine as it is now. */
  readonly facts: () => NodeFacts;
  /** The static pods that run now; none on workers. */
  readonly pods: () => readonly ShownPod[];
  /** API servers it may ask, the best first: a control plane's own, or those a worker's KubePrism knows. */
  readonly api: () => readonly ApiAddress[];
  /** PEM of the cluster's authority. */
  readonly clusterCA: string;
  /** `O=system:nodes, CN=system:node:<name>`; waits until there is one. */
  readonly credential: (signal: AbortSignal) => Promise<KeyPair>;
  /** Control planes: Talos' own credential, which gives the node its role (a kubelet must not). */
  readonly talos: (() => Promise<KeyPair>) | undefined;
  /** The Node is registered and Ready: told once, for as long as the kubelet runs. */
  readonly ready: () => void;
  readonly log: (line: string) => void;
}

export interface KubeletStandIn {
  /** Falls silent at once, as by a power cut; nothing is said to the API. */
  stop(): void;
}

const CALL_MS = 2_000;
/** After a turn that failed, in the lab's own time. */
const RETRY_MS = 100;
/** Heartbeats between two posts of a status that says nothing new: five minutes to ten seconds. */
const STATUS_EVERY = 30;
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases';

/**
 * The kubelet as the API sees it: the Node, its status, its lease, and on a control plane the mirror pods of its static
 * pods. It runs no others. Quiet while no API server answers.
 */
export function startKubelet(ports: KubeletPorts): KubeletStandIn {
  const { clock } = ports;
  const down = new AbortController();
  const { signal } = down;
  const mirrors = createMirrorPods();
  let turns = 0;
  let mirrorsFail = false;

  /** What goes wrong here keeps nobody from beating; it is tried again with the next heartbeat. */
  const showPods = async (facts: NodeFacts, node: unknown, kubelet: Call): Promise<void> => {
    const pods = ports.pods();
    if (pods.length === 0) return;
    try {
      const owner = { name: facts.name, uid: stringAt(node, 'metadata', 'uid') ?? '' };
      await mirrors.sync(kubelet, owner, pods, clock.wall());
      mirrorsFail = false;
    } catch (error) {
      if (!mirrorsFail && !signal.aborted) ports.log(`kubelet: failed creating a mirror pod: ${textOf(error)}`);
      mirrorsFail = true;
    }
  };

  const turn = async ({ kubelet, talos }: Clients): Promise<void> => {
    const facts = ports.facts();
    const path = `/api/v1/nodes/${facts.name}`;
    const node = await registered(facts, kubelet, talos, ports.log);
    if (talos !== undefined && recordAt(node, 'metadata', 'labels')?.[CONTROL_PLANE_LABEL] === undefined) {
      await talos('PATCH', path, [200], { metadata: { labels: { [CONTROL_PLANE_LABEL]: '' } } });
    }
    const status = statusOf(facts, node, clock.wall());
    if (turns % STATUS_EVERY === 0 || differsFrom(node, status)) {
      await kubelet('PATCH', `${path}/status`, [200], { status });
    }
    await renewLease(facts.name, kubelet, clock.wall());
    if (turns === 0) ports.ready();
    turns += 1;
    await showPods(facts, node, kubelet);
  };

  const run = async (): Promise<void> => {
    const kubelet = await ports.credential(signal);
    const talos = await ports.talos?.();
    let clients: Clients | undefined;
    let complained = false;
    while (!signal.aborted) {
      let done = false;
      for (const address of inOrder(ports.api(), clients?.server)) {
        if (clients?.server !== address.server) {
          clients?.close();
          clients = clientsFor(address, ports, kubelet, talos, signal);
        }
        try {
          await turn(clients);
          done = true;
          complained = false;
          break;
        } catch (error) {
          if (signal.aborted) break;
          clients.close();
          clients = undefined;
          if (!complained) ports.log(`kubelet: unable to update node status: ${textOf(error)}`);
          complained = true;
        }
      }
      await clock.sleep(done ? ports.heartbeatMs : RETRY_MS, signal).catch(() => {});
    }
    clients?.close();
  };

  void run().catch((error: unknown) => {
    if (!signal.aborted) ports.log(`kubelet: ended: ${textOf(error)}`);
  });
  return {
    stop: () => down.abort(),
  };
}

interface Clients {
  readonly server: string;
  readonly kubelet: Call;
  readonly talos: Call | undefined;
  close(): void;
}

/** The one that answered last comes first. */
const inOrder = (all: readonly ApiAddress[], last: string | undefined): readonly ApiAddress[] =>
  all.toSorted((a, b) => Number(b.server === last) - Number(a.server === last));

function clientsFor(
  address: ApiAddress,
  ports: KubeletPorts,
  kubelet: KeyPair,
  talos: KeyPair | undefined,
  signal: AbortSignal,
): Clients {
  const { name, kubeletVersion, talosVersion } = ports.facts();
  const client = (pair: KeyPair, agent: string): ApiClient =>
    createApiClient(
      { ...address, ca: ports.clusterCA, ...pair },
      { userAgent: `${agent} node/${name}`, timeoutMs: CALL_MS },
    );
  const own = client(kubelet, `kubelet/${kubeletVersion}`);
  const other = talos === undefined ? undefined : client(talos, `talos/${talosVersion}`);
  return {
    server: address.server,
    kubelet: callThrough(own, signal),
    talos: other === undefined ? undefined : callThrough(other, signal),
    close() {
      own.close();
      other?.close();
    },
  };
}

const callThrough =
  (client: ApiClient, signal: AbortSignal): Call =>
  async (method, path, wanted, body) => {
    const contentType = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const answer = await client.request(method, path, { contentType, signal, ...(body === undefined ? {} : { body }) });
    if (!wanted.includes(answer.status)) {
      throw new Error(`${method} ${path}: ${answer.status} ${stringAt(answer.body, 'message') ?? ''}`);
    }
    return answer.status === 404 ? undefined : answer.body;
  };

/**
 * This machine's Node, made where there is none. One of another server with the same name is in the way: a control
 * plane removes it, a worker (whose credential allows no such thing) waits until the cluster's controllers have.
 */
async function registered(
  facts: NodeFacts,
  kubelet: Call,
  talos: Call | undefined,
  log: (line: string) => void,
): Promise<unknown> {
  const path = `/api/v1/nodes/${facts.name}`;
  const found = await kubelet('GET', path, [200, 404]);
  if (found !== undefined) {
    const provider = stringAt(found, 'spec', 'providerID');
    if (provider === providerIdOf(facts.serverId)) return found;
    if (talos === undefined) throw new Error(`Node ${facts.name} is still that of ${provider ?? 'no server'}`);
    // 409: somebody else was faster, and the next turn sees what is there now.
    const uid = stringAt(found, 'metadata', 'uid') ?? '';
    await talos('DELETE', path, [200, 404, 409], { preconditions: { uid } });
  }
  const made = await kubelet('POST', '/api/v1/nodes', [201], newNode(facts));
  log(`kubelet: successfully registered node {"node": "${facts.name}"}`);
  return made;
}

async function renewLease(name: string, api: Call, now: Date): Promise<void> {
  const spec = { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTime(now) };
  if ((await api('PATCH', `${LEASES}/${name}`, [200, 404], { spec })) !== undefined) return;
  await api('POST', LEASES, [201, 409], {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: 'kube-node-lease' },
    spec,
  });
}
