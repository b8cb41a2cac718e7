import { readFile } from 'node:fs/promises';
import type { LabInfo } from '../../lab/world/info.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { Redacted } from '../../src/base/redacted.ts';
import { waitFor } from '../../src/base/retry.ts';
import { ready } from '../../src/probe/ready.ts';
import type { Prober } from '../../src/probe/types.ts';
import { createKubernetesClient } from '../../src/systems/kubernetes/client.ts';
import { parseKubeconfig, resolveContext } from '../../src/systems/kubernetes/kubeconfig.ts';
import type { KubeContext } from '../../src/systems/kubernetes/types.ts';
import { createTalosClient } from '../../src/systems/talos/client.ts';
import { parseTalosconfig, selectContext } from '../../src/systems/talos/talosconfig.ts';
import { fairlead, run } from './commands.ts';
import type { Replacement } from './evidence.ts';
import type { Narrator } from './narrator.ts';
import { NAMESPACE, type DemoOptions } from './options.ts';

export interface ReplacePorts {
  readonly state: string;
  readonly home: string;
  readonly clock: Clock;
  readonly narrator: Narrator;
  readonly info: () => Promise<LabInfo>;
  readonly kubectl: string | undefined;
  readonly kubeconfig: string;
  readonly context: KubeContext;
  readonly prober: Prober | undefined;
  readonly token: Redacted;
}

/** Replaces one control plane and looks whether the same kubeconfig, byte for byte, and the old token still work. */
export async function replaceOne(
  node: string,
  options: DemoOptions,
  ports: ReplacePorts,
): Promise<{ replacement: Replacement; tokensRefused: number; notes: string[] }> {
  const { clock, prober } = ports;
  const before = await ports.info();
  const notes: string[] = [];
  prober?.mark(node);
  const verb = options.control === 'same-server' ? 'reboot' : 'replace';
  const ran = await fairlead(['lab', 'node', verb, node, '--state', ports.state, '--output', 'json'], {
    signal: options.signal,
    onProgress: ports.narrator.progress,
  });
  if (ran.code !== 0) throw new Error(`lab node ${verb} ${node} ended with ${ran.code}:\n${ran.stderr}`);
  // The same bytes must work again within a bounded time: nobody repoints anything.
  const client = createKubernetesClient(ports.context);
  const usable = await waitFor(
    clock,
    { everyMs: 200, timeoutMs: 90_000 / options.speed + 15_000, signal: options.signal },
    async () => {
      const result = await ready(ports.context, '/readyz', { timeoutMs: 2_000 });
      return result.kind === 'answered' && result.status === 200 ? true : undefined;
    },
  );
  let works = usable === true;
  if (works) {
    try {
      const nodes = await client.nodes();
      await client.ensureConfigMap(NAMESPACE, `after-${node}`, { replaced: node });
      works = nodes.some((n) => n.name === node);
      if (!works) notes.push(`${node} is not among the nodes`);
    } catch (error) {
      works = false;
      notes.push(`after ${node}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (works && ports.kubectl !== undefined) {
    const kubectl = await run(
      ports.kubectl,
      ['--kubeconfig', ports.kubeconfig, '--request-timeout=5s', 'get', 'nodes', '-o', 'name'],
      { home: ports.home, signal: options.signal },
    );
    if (kubectl.code !== 0) notes.push(`kubectl after ${node}: ${kubectl.stderr.trim()}`);
    works = kubectl.code === 0;
  }
  const after = await ports.info();
  // Each API server by itself, the new one too: a token of before the change must be good there.
  let tokensRefused = 0;
  for (const controlPlane of after.nodes.filter((n) => n.role === 'control-plane' && n.power === 'on')) {
    const answer = await ready(
      { ...ports.context, server: controlPlane.kubernetesApi, auth: { kind: 'token', token: ports.token } },
      '/version',
      { timeoutMs: 5_000 },
    );
    if (answer.kind === 'answered' && answer.status === 401) {
      tokensRefused += 1;
      notes.push(`${controlPlane.name} refused the token of before the change`);
    } else if (answer.kind === 'failed') {
      notes.push(`${controlPlane.name} could not be asked about the token: ${answer.message}`);
      works = false;
    }
  }
  const idOf = (lab: LabInfo): number => lab.nodes.find((n) => n.name === node)?.serverId ?? 0;
  const holder = (lab: LabInfo): string | null => lab.floatingIPs[0]?.claimedBy[0] ?? null;
  const endpointOfNew = await newNodeEndpoint(ports, after, node);
  if (endpointOfNew !== undefined && endpointOfNew !== ports.context.server) {
    notes.push(`${node} came up with the endpoint ${endpointOfNew}, which is not the cluster's`);
    works = false;
  }
  const gaps = prober?.report(node).gaps['endpoint'] ?? {};
  const longest = gaps.readNewConnection;
  notes.push(
    `${node}: server ${idOf(before)} -> ${idOf(after)}, holder ${holder(before)} -> ${holder(after)}, longest gap ${longest === undefined ? 'unknown' : `${(longest / 1000).toFixed(1)} s`}`,
  );
  return {
    tokensRefused,
    notes,
    replacement: {
      node,
      oldServerId: idOf(before),
      newServerId: idOf(after),
      holderBefore: holder(before),
      holderAfter: holder(after),
      longestGapMs: longest === undefined ? null : Math.round(longest),
      gaps: Object.fromEntries(Object.entries(gaps).map(([name, ms]) => [name, Math.round(ms)])),
      survived: works && holder(after) !== null,
    },
  };
}

/** What the replaced node itself hands out as its endpoint: `talosctl kubeconfig` would say the same. */
async function newNodeEndpoint(ports: ReplacePorts, lab: LabInfo, node: string): Promise<string | undefined> {
  const address = lab.nodes.find((n) => n.name === node)?.publicIPv4;
  if (address === undefined) return undefined;
  const file = lab.files.talosconfig;
  const selected = selectContext(parseTalosconfig(await readFile(file, 'utf8'), file));
  const client = createTalosClient({ address, ca: selected.ca, crt: selected.crt, key: selected.key });
  try {
    const text = await client.kubeconfig();
    return (await resolveContext(parseKubeconfig(text.reveal(), node), undefined, (name) => readFile(name, 'utf8')))
      .server;
  } finally {
    client.close();
  }
}
