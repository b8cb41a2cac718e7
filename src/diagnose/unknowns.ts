import type { LoadedConfig } from '../config/loaded.ts';
import type { Fact } from '../model/fact.ts';
import type { UnknownFact } from '../model/finding.ts';
import type { Observation } from '../model/observation.ts';

/** Facts that the verdict needs and that could not be read. A sound cluster has none. */
export function unknownsOf(observation: Observation, loaded: LoadedConfig): UnknownFact[] {
  const found: UnknownFact[] = [];
  const look = (subject: string, what: string, fact: Fact<unknown> | undefined): void => {
    if (fact?.kind === 'unknown') found.push({ subject, what, why: fact.why });
  };
  const { cloud, consumers } = observation;
  look('hetzner', 'servers', cloud.servers);
  look('hetzner', 'floating IPs', cloud.floatingIPs);
  look('hetzner', 'what hetzner.token may do', cloud.token);
  if (cloud.nodeToken !== undefined) {
    look('hetzner', 'what talosVip.token may do', cloud.nodeToken.class);
    look('hetzner', 'what talosVip.token sees', cloud.nodeToken.floatingIPs);
  }
  look(loaded.config.name, 'members of the cluster', observation.membership);
  look(loaded.config.name, 'Kubernetes nodes', observation.kubernetesNodes);
  look(loaded.config.name, 'the endpoint', observation.endpoint);
  look(observation.endpointName?.name ?? '', 'where the name leads', observation.endpointName?.addresses);
  for (const node of observation.nodes) {
    if (node.talosVersion.kind === 'unknown') {
      look(node.name, 'everything on it', node.talosVersion);
      continue;
    }
    if (node.role === 'unknown') found.push({ subject: node.name, what: 'its role', why: 'nobody could say it' });
    look(node.name, 'machine config', node.config);
    look(node.name, 'persistent machine config', node.persistentSha256);
    look(node.name, 'addresses on its links', node.links);
    look(node.name, 'stage', node.stage);
    look(node.name, 'services', node.services);
    look(node.name, 'etcd members', node.etcd?.members);
    look(node.name, 'etcd status', node.etcd?.status);
    look(node.name, 'etcd alarms', node.etcd?.alarms);
    look(node.name, 'served certificate', node.certificate);
    look(node.name, '/readyz', node.apiReady);
  }
  for (const { file, content } of consumers.kubeconfigs) look(file, 'kubeconfig', content);
  for (const { file, content } of consumers.talosconfigs) look(file, 'talosconfig', content);
  if (consumers.repository !== undefined) {
    look(consumers.repository.path, 'patches', consumers.repository.patches);
    look(consumers.repository.path, 'variables', consumers.repository.variables);
  }
  return found;
}
