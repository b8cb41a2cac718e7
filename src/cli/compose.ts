import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { EXIT, Failure, textOf } from '../base/failure.ts';
import { systemProcesses } from '../base/processes.ts';
import type { LoadedConfig } from '../config/loaded.ts';

import { nodeFiles } from '../consumers/files.ts';
import type { Systems } from '../observe/systems.ts';
import { handshake } from '../probe/handshake.ts';
import { startProber } from '../probe/prober.ts';
import { ready } from '../probe/ready.ts';
import { createResolver, lookupBy } from '../systems/dns.ts';
import { createHetznerClient } from '../systems/hetzner/client.ts';
import { createKubernetesClient } from '../systems/kubernetes/client.ts';
import { parseKubeconfig, resolveContext } from '../systems/kubernetes/kubeconfig.ts';
import { createTalosClient } from '../systems/talos/client.ts';
import { parseTalosconfig, selectContext } from '../systems/talos/talosconfig.ts';
import type { HetznerClient } from '../systems/hetzner/types.ts';
import { certificateOf } from '../systems/pem.ts';
import type { KubeContext, KubernetesClient } from '../systems/kubernetes/types.ts';
import type { TalosClient } from '../systems/talos/types.ts';
import type { CliContext } from './context.ts';

/** Every outside system, out of the configuration: the one place where ports and clients are put together. */
export async function composeSystems(context: CliContext, loaded: LoadedConfig): Promise<Systems> {
  const talosContext = selectContext(
    parseTalosconfig(loaded.talosconfig.text.reveal(), loaded.talosconfig.source),
    loaded.config.talos.context,
  );
  const { clock, random } = context;
  const talosClients = new Map<string, TalosClient>();
  const hetznerClients = new Map<string, HetznerClient>();
  /** Those that nobody has closed yet. */
  const kubernetesClients = new Set<KubernetesClient>();
  const resolve = createResolver(loaded.config.resolvers);
  // Where the configuration names its own DNS servers, what is dialled by name is found through them too.
  const lookup = loaded.config.resolvers.length === 0 ? undefined : lookupBy(resolve);
  const ports: Omit<Systems, 'kubeContext' | 'kubeOrigin'> = {
    clock,
    random,
    files: nodeFiles,
    env: context.env,
    processes: systemProcesses,
    talosContext,
    hetzner(token) {
      // One for each token, because it remembers how much of the project's budget is left.
      const { endpoint } = loaded.config.hetzner;
      let client = hetznerClients.get(token.reveal());
      if (client === undefined) {
        client = createHetznerClient(
          { fetch, clock, random },
          { token, ...(endpoint === undefined ? {} : { endpoint }) },
        );
        hetznerClients.set(token.reveal(), client);
      }
      return client;
    },
    talos(address) {
      let client = talosClients.get(address);
      if (client === undefined) {
        client = createTalosClient({ address, ca: talosContext.ca, crt: talosContext.crt, key: talosContext.key });
        talosClients.set(address, client);
      }
      return client;
    },
    kubernetes(target) {
      const client = createKubernetesClient(target);
      kubernetesClients.add(client);
      return {
        ...client,
        close() {
          kubernetesClients.delete(client);
          client.close();
        },
      };
    },
    handshake: (host, port, options) => handshake(host, port, lookup === undefined ? options : { ...options, lookup }),
    ready,
    resolve,
    startProber: (options) => startProber({ clock }, options),
    close() {
      for (const client of talosClients.values()) client.close();
      talosClients.clear();
      for (const client of kubernetesClients) client.close();
      kubernetesClients.clear();
    },
  };
  try {
    const access = await kubernetesAccess(context, loaded, ports);
    const kubeContext = lookup === undefined ? access.kubeContext : { ...access.kubeContext, lookup };
    return { ...ports, ...access, kubeContext };
  } catch (error) {
    ports.close();
    throw error;
  }
}

/** The configured kubeconfig; where it is gone or can no longer work, credentials that Talos makes for this run. */
async function kubernetesAccess(
  context: CliContext,
  loaded: LoadedConfig,
  ports: Pick<Systems, 'talos' | 'talosContext' | 'hetzner'>,
): Promise<Pick<Systems, 'kubeContext' | 'kubeOrigin'>> {
  const { kubeconfig } = loaded;
  let reason: string;
  if ('missing' in kubeconfig) reason = kubeconfig.missing;
  else {
    const kubeContext = await resolveContext(
      parseKubeconfig(kubeconfig.text.reveal(), kubeconfig.source),
      loaded.config.kubernetes.context,
      (name) => readReferenced(loaded.file, kubeconfig.source, name),
    );
    const useless = uselessness(kubeContext, context.clock.wall());
    if (useless === undefined) return { kubeContext, kubeOrigin: undefined };
    reason = `${kubeconfig.source}: ${useless}`;
  }
  const { mintKubeContext } = await import('../consumers/kubeconfig/mint.ts');
  const { context: kubeContext, by } = await mintKubeContext(ports, loaded.hetznerToken, reason, context.signal);
  return {
    kubeContext,
    kubeOrigin: `${reason}. Talos on ${by} made an administrator's certificate for this run; it is written nowhere.`,
  };
}

/** Why credentials cannot work whatever the servers say; undefined where they may. */
function uselessness({ auth }: KubeContext, now: Date): string | undefined {
  if (auth.kind === 'other') return auth.why;
  if (auth.kind !== 'certificate') return undefined;
  const notAfter = certificateOf(auth.cert)?.validToDate;
  return notAfter !== undefined && notAfter <= now
    ? `its client certificate expired at ${notAfter.toISOString()}`
    : undefined;
}

/** A file that a kubeconfig refers to, relative to the kubeconfig. */
async function readReferenced(configFile: string, source: string, name: string): Promise<string> {
  const base = path.dirname(path.isAbsolute(source) ? source : configFile);
  const file = path.resolve(base, name);
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Failure({
      code: 'kubeconfig-reference',
      exit: EXIT.usage,
      what: `A file that ${source} refers to cannot be read`,
      why: textOf(error),
      state: 'Nothing was changed.',
      next: `Put ${file} in place, or use a self-contained kubeconfig (kubectl config view --raw --flatten).`,
      cause: error,
    });
  }
}
