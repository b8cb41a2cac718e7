import type { Machine } from '../machine.ts';
import { minorOf } from '../config/settings.ts';
import type { Resource } from './resource.ts';

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
    spec,
  });
  const unmet = unmetConditions(machine);
  const minor = minorOf(ports.version);
  const named = minor >= 13 ? { name: 'Talos' } : {};
  const spikes = minor >= 14 ? { spikeDetected: false, consecutiveSpikes: 0 } : {};
  return [
    runtime('MachineStatuses.runtime.talos.dev', 'machine', 'runtime.MachineStatusController', {
      stage: STAGES[machine.stage],
      status: { ready: machine.stage === 'running' && unmet.length === 0, unmetConditions: unmet },
    }),
    runtime('Versions.runtime.talos.dev', 'version', 'runtime.VersionController', { ...named, version: ports.version }),
    runtime('PlatformMetadatas.talos.dev', 'platformmetadata', 'network.PlatformConfigController', {
      platform: 'hcloud',
      hostname: facts.hostname,
      region: REGIONS[facts.location.slice(0, 3)] ?? 'eu-central',
      zone: facts.location,
      instanceId: String(facts.serverId),
      providerId: `hcloud://${facts.serverId}`,
    }),
    runtime('KernelCmdlines.runtime.talos.dev', 'cmdline', 'runtime.KernelCmdlineController', {
      cmdline: cmdlineOf(machine),
    }),
    runtime('SecurityStates.talos.dev', 'securitystate', 'runtime.SecurityStateController', {
      secureBoot: false,
      bootedWithUKI: true,
      ...(minor >= 12 ? { moduleSignatureEnforced: true } : {}),
    }),
    runtime('TimeStatuses.v1alpha1.talos.dev', 'node', 'time.SyncController', {
      synced: true,
      epoch: 1,
      syncDisabled: false,
      ...spikes,
    }),
    runtime('DevicesStatuses.runtime.talos.dev', 'devices', 'runtime.DevicesStatusController', { ready: true }),
    ...(minor >= 14
      ? [runtime('BootIDs.runtime.talos.dev', 'boot-id', 'runtime.BootIDController', { bootID: machine.bootId })]
      : []),
    ...[...machine.meta].map(([key, value]) =>
      runtime('MetaKeys.runtime.talos.dev', `0x${key.toString(16).padStart(2, '0')}`, 'runtime.MetaController', {
        value: new TextDecoder().decode(value),
      }),
    ),
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

/** Hetzner's network zones, by the first letters of a location. */
const REGIONS: Readonly<Record<string, string>> = {
  fsn: 'eu-central',
  nbg: 'eu-central',
  hel: 'eu-central',
  ash: 'us-east',
  hil: 'us-west',
  sin: 'ap-southeast',
};

/** Old link names mean that the kernel was told to keep them. */
export function cmdlineOf(machine: Machine): string {
  const old = machine.facts.links.some((link) => /^eth\d/.test(link.name));
  return `talos.platform=hcloud console=tty1 console=ttyS0 init_on_alloc=1 slab_nomerge pti=on consoleblank=0${old ? ' net.ifnames=0' : ''}`;
}
