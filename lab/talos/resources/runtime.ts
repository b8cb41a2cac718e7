import type { Machine } from '../machine.ts';
import { specYaml, type Resource } from './resource.ts';

const STAGES: Readonly<Record<Machine['stage'], string>> = {
  booting: 'booting',
  maintenance: 'maintenance',
  running: 'running',
  rebooting: 'rebooting',
  'shutting-down': 'shuttingDown',
  resetting: 'resetting',
  upgrading: 'upgrading',
  off: 'unknown',
  gone: 'unknown',
};

/** What keeps the machine from being ready, as MachineStatus names it. */
export function unmetConditions(machine: Machine): { readonly name: string; readonly reason: string }[] {
  const unmet: { name: string; reason: string }[] = [];
  const unhealthy = [...machine.services.values()].filter((service) => service.healthy === false);
  const missing = ['apid', 'kubelet', ...(machine.role === 'control-plane' ? ['etcd'] : [])].filter(
    (id) => machine.services.get(id)?.state !== 'Running',
  );
  if (missing.length > 0) unmet.push({ name: 'services', reason: `service "${missing.join('", "')}" not running` });
  if (unhealthy.length > 0) {
    const names = unhealthy.map((service) => `${service.id} not healthy`).join(', ');
    unmet.push({ name: 'services', reason: names });
  }
  if (machine.role === 'control-plane' && machine.pods.get('kube-apiserver')?.ready !== true) {
    unmet.push({ name: 'staticPods', reason: `kube-system/kube-apiserver-${machine.facts.hostname} not ready` });
  }
  return unmet;
}

/** Machine status, services, version, platform. */
export function runtimeResources(machine: Machine): Resource[] {
  const { facts, ports } = machine;
  const runtime = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'runtime',
    type,
    id,
    owner,
    yaml: specYaml(spec),
  });
  const unmet = unmetConditions(machine);
  return [
    runtime('MachineStatuses.runtime.talos.dev', 'machine', 'runtime.MachineStatusController', {
      stage: STAGES[machine.stage],
      status: { ready: machine.stage === 'running' && unmet.length === 0, unmetConditions: unmet },
    }),
    runtime('Versions.runtime.talos.dev', 'version', 'runtime.VersionController', {
      name: 'Talos',
      version: ports.version,
    }),
    runtime('PlatformMetadatas.talos.dev', 'platformmetadata', 'network.PlatformConfigController', {
      platform: 'hcloud',
      hostname: facts.hostname,
      zone: facts.location,
      instanceId: String(facts.serverId),
      providerId: `hcloud://${facts.serverId}`,
    }),
    ...[...machine.services.values()]
      .filter((service) => service.state === 'Running')
      .map((service) =>
        runtime('Services.v1alpha1.talos.dev', service.id, 'v1alpha1.ServiceController', {
          running: true,
          healthy: service.healthy === true,
          unknown: service.healthy === undefined,
        }),
      ),
  ];
}
