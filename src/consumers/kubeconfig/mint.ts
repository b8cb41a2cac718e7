import { EXIT, Failure, textOf } from '../../base/failure.ts';
import type { Redacted } from '../../base/redacted.ts';
import type { Systems } from '../../observe/systems.ts';
import type { KubeContext } from '../../systems/kubernetes/types.ts';
import { parseEndpoint } from '../../systems/talos/endpoint.ts';
import { contextOf } from './fetch.ts';

/** How long a node may take to say that it is there, and to make a kubeconfig, milliseconds. */
const ALIVE_MS = 3_000;
const MINT_MS = 5_000;

/** Credentials for one run, and where they came from. */
export interface Minted {
  readonly context: KubeContext;
  /** The address of the node that made them. */
  readonly by: string;
}

/**
 * Credentials for Kubernetes out of Talos alone, where there is no kubeconfig that works: in the middle of an incident Talos is what is
 * left. Asked at the addresses of the talosconfig, then at the servers of the project. Mutual TLS with the talosconfig's CA says that it
 * is the cluster, so the CA in the answer is the cluster's. Each answer is a new administrator's certificate, so only one is taken; it is
 * kept in memory for the run and written nowhere. Throws a Failure (exit 4) when no control plane makes one.
 */
export async function mintKubeContext(
  systems: Pick<Systems, 'talos' | 'talosContext' | 'hetzner'>,
  hetznerToken: Redacted,
  /** Why there is none already. */
  reason: string,
  signal: AbortSignal,
): Promise<Minted> {
  const { endpoints, nodes } = systems.talosContext;
  const listed = [...new Set([...endpoints, ...nodes].flatMap((text) => parseEndpoint(text)?.host ?? []))];
  const troubles: string[] = [];
  const first = await mintAt(systems, listed, troubles, signal);
  if (first !== undefined) return first;
  const servers = await systems
    .hetzner(hetznerToken)
    .servers(signal)
    .catch((error: unknown) => {
      troubles.push(`Hetzner: ${textOf(error)}`);
      return [];
    });
  const others = servers.flatMap((server) => server.publicIPv4 ?? []).filter((ip) => !listed.includes(ip));
  const second = await mintAt(systems, others, troubles, signal);
  if (second !== undefined) return second;
  throw new Failure({
    code: 'no-kubernetes-credentials',
    exit: EXIT.refused,
    what: 'There are no credentials for Kubernetes',
    why: [reason, ...troubles].join('\n'),
    state: 'Nothing was changed.',
    next: 'Make one control plane reachable at its own address, port 50000, or set kubernetes.kubeconfig to one that works.',
  });
}

/** Dead addresses are found out side by side; what is alive is asked one after the other. */
async function mintAt(
  systems: Pick<Systems, 'talos'>,
  addresses: readonly string[],
  troubles: string[],
  signal: AbortSignal,
): Promise<Minted | undefined> {
  const alive = addresses.map(async (address) => {
    await systems.talos(address).version(AbortSignal.any([signal, AbortSignal.timeout(ALIVE_MS)]));
    return address;
  });
  const asked = await Promise.any(alive).catch(() => undefined);
  signal.throwIfAborted();
  const order = [...addresses.filter((address) => address === asked), ...addresses.filter((a) => a !== asked)];
  for (const by of order) {
    try {
      const text = await systems.talos(by).kubeconfig(AbortSignal.any([signal, AbortSignal.timeout(MINT_MS)]));
      return { context: contextOf(text), by };
    } catch (error) {
      signal.throwIfAborted();
      troubles.push(`${by}: ${textOf(error)}`);
    }
  }
  return undefined;
}
