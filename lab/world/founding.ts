import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure } from '../../src/base/failure.ts';
import type { Cloud, CloudServer } from '../cloud/types.ts';
import { fromBase64, fromTalosPair } from '../pki/keys.ts';
import { issue } from '../pki/pki.ts';
import { writeProvisioner } from '../provisioner/folder.ts';
import { renderConfig } from '../provisioner/render.ts';
import { DEFAULT_KUBERNETES, type Secrets } from '../provisioner/types.ts';
import { writeUserFiles } from './files.ts';
import type { LabOptions } from './info.ts';
import { type Machine, type Machines, ROLE_LABEL } from './machines.ts';

const YEAR_MS = 365 * 24 * 3_600_000;

const PLATFORM_HOSTNAME = `# Nodes are called as their servers are.
apiVersion: v1alpha1
kind: HostnameConfig
auto: off
`;

export interface FoundingPorts {
  readonly clock: Clock;
  readonly name: string;
  readonly options: LabOptions;
  /** The lab's folder. */
  readonly state: string;
  readonly provisioner: string;
  readonly secrets: Secrets;
  readonly tokens: { readonly own: string; readonly node: string };
  readonly cloud: Cloud;
  readonly machines: Machines;
}

/** The state of things when the story begins: servers, the provisioner's folder, the user's files, a cluster that boots. */
export async function found(ports: FoundingPorts): Promise<void> {
  const { clock, name, options, state, provisioner, secrets, tokens, cloud, machines } = ports;
  const servers = foundServers(cloud, name, options);
  const first = servers.find((s) => s.role === 'control-plane');
  if (first === undefined)
    throw new Failure({
      code: 'lab-control-planes',
      exit: EXIT.usage,
      what: 'A lab needs a control plane',
      why: '--control-planes is 0',
      state: 'Nothing was started.',
      next: 'Give --control-planes 3.',
    });
  const endpoint = `https://${first.server.publicIPv4}:6443`;
  await writeProvisioner(provisioner, {
    cluster: { name, endpoint, talosVersion: options.talos, kubernetesVersion: DEFAULT_KUBERNETES[options.talos] },
    secrets,
    // Without it Talos names a machine after its identity, not after its server (it did so to a whole fleet once).
    // (The kind is new in 1.12; before, the platform's name was the only one.)
    ...(options.talos.startsWith('v1.11.')
      ? {}
      : { patches: { cluster: { 'use-platform-hostname.yaml': PLATFORM_HOSTNAME } } }),
    env: { TALOS_VIP_TOKEN: tokens.node },
  });
  const configs = {
    'control-plane': await renderConfig(provisioner, 'control-plane'),
    worker: await renderConfig(provisioner, 'worker'),
  };

  const now = clock.wall();
  const validity = { notBefore: new Date(now.getTime() - 10_000), notAfter: new Date(now.getTime() + YEAR_MS) };
  await writeUserFiles(state, {
    cluster: name,
    endpoint,
    clusterCA: fromBase64(secrets.certs.k8s.crt),
    admin: await issue(fromTalosPair(secrets.certs.k8s), {
      commonName: 'admin',
      organizations: ['system:masters'],
      usages: ['clientAuth'],
      ...validity,
    }),
    machineCA: fromBase64(secrets.certs.os.crt),
    talosAdmin: await issue(fromTalosPair(secrets.certs.os), {
      commonName: '',
      organizations: ['os:admin'],
      usages: ['clientAuth'],
      ...validity,
    }),
    controlPlanes: servers.filter((s) => s.role === 'control-plane').map((s) => s.server.publicIPv4),
    hetznerUrl: cloud.url,
    token: tokens.own,
    nodeToken: tokens.node,
  });

  const founders = servers
    .filter((s) => s.role === 'control-plane')
    .map((s) => ({ name: s.server.name, privateIPv4: s.server.privateIPv4 }));
  // One after the other, so that the list of machines has their order; they boot side by side.
  const added: { machine: Machine; role: Founder['role'] }[] = [];
  for (const { server, role } of servers) {
    added.push({ machine: await machines.add({ ...server, userData: configs[role] }), role });
  }
  await Promise.all(
    added.map(({ machine, role }) =>
      machines.boot(machine, role === 'control-plane' ? { kind: 'founding', members: founders } : { kind: 'join' }),
    ),
  );
}

interface Founder {
  readonly server: CloudServer;
  readonly role: 'control-plane' | 'worker';
}

function foundServers(cloud: Cloud, name: string, options: LabOptions): Founder[] {
  const make = (role: Founder['role'], count: number): Founder[] =>
    Array.from({ length: count }, (_, i) => ({
      role,
      server: cloud.addServer({
        name: `${name}-${role}-${i + 1}`,
        labels: { cluster: name, [ROLE_LABEL]: role },
        userData: '',
      }),
    }));
  return [...make('control-plane', options.controlPlanes), ...make('worker', options.workers)];
}
