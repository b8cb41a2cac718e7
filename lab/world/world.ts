import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure, textOf } from '../../src/base/failure.ts';
import type { Random } from '../../src/base/random.ts';
import { startCloud } from '../cloud/cloud.ts';
import type { Cloud, CloudEffects, CloudServer } from '../cloud/types.ts';
import { startLoopback } from '../fabric/loopback.ts';
import type { Fabric } from '../fabric/types.ts';
import { findParts } from '../kubernetes/parts.ts';
import { type Candidate, startControllers } from '../kubernetes/stand-ins/controllers.ts';
import { fromBase64, fromTalosPair } from '../pki/keys.ts';
import { issue } from '../pki/pki.ts';
import type { KeyPair } from '../pki/types.ts';
import { writeProvisioner } from '../provisioner/folder.ts';
import { renderConfig } from '../provisioner/render.ts';
import { createSecrets } from '../provisioner/secrets.ts';
import { DEFAULT_KUBERNETES } from '../provisioner/types.ts';
import { type Audit, createAudit } from './audit.ts';
import { createCloudCalls } from './cloud-calls.ts';
import { describeWorld } from './describe.ts';
import { writeUserFiles } from './files.ts';
import type { LabInfo, LabOptions } from './info.ts';
import { createMachines, type Machine, type Machines, ROLE_LABEL } from './machines.ts';
import { clusterName, token } from './names.ts';
import { createOperations } from './operations.ts';
import { startTimeOf } from './processes.ts';

export interface WorldOptions extends LabOptions {
  /** The lab's folder; it exists and is empty but for lock and log. */
  readonly state: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly progress: (text: string) => void;
}

export interface World {
  readonly audit: Audit;
  /** An address that belongs to no machine, for the control server. */
  readonly serviceAddress: string;
  info(): LabInfo;
  /** `delete`, `recreate`, `replace`, `power-off`, `power-on`, `reboot` of one node, through the cloud's API. */
  operate(node: string, verb: string): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

const PLATFORM_HOSTNAME = `# Nodes are called as their servers are.
apiVersion: v1alpha1
kind: HostnameConfig
auto: off
`;

/** Bound of the wait for the account that tokens are asked for; a cluster without it is still a cluster. */
const FURNISHED_MS = 5_000;
const YEAR_MS = 365 * 24 * 3_600_000;

/** Brings up a cloud project with a running Talos cluster whose endpoint is its first control plane's own address. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { clock, random, state, speed, progress } = options;
  if (options.fabric === 'netns') throw notBuilt('--fabric netns');
  const parts = await findParts(options.parts, { clock, random, env: options.env });
  progress(`etcd: ${parts.etcd.backing}; kube-apiserver: ${parts.kubeApiserver.backing}`);

  const audit = createAudit(path.join(state, 'requests.jsonl'), () => clock.wall());
  const fabric = await startLoopback({ random, clock });
  const serviceAddress = fabric.allocate('service');
  const name = clusterName(random);
  const tokens = { own: token(random), node: token(random), readOnly: token(random) };
  const secrets = await createSecrets({ clock });
  const provisioner = path.join(state, 'provisioner');
  await mkdir(path.join(state, 'nodes'), { mode: 0o700 });

  let cloud: Cloud | undefined;
  const cloudUrl = (): string => cloud?.url ?? '';
  const clusterCA = fromTalosPair(secrets.certs.k8s);
  const machines = createMachines({
    clock,
    random,
    speed,
    version: options.talos,
    fabric,
    parts,
    audit,
    cloudUrl,
    dir: path.join(state, 'nodes'),
  });
  const controllers = startControllers({
    clock,
    speed,
    candidates: candidatesOf(machines, clusterCA, await controllersCertificate(clock, clusterCA)),
    serverIds: () => cloud?.servers().map((s) => s.id) ?? [],
    log: (line) => console.log(line),
  });

  const effects = effectsOf(fabric, machines, (id) => cloud?.stopped(id));
  const running = await startCloud({
    address: serviceAddress,
    port: 8080,
    clock,
    random,
    speed,
    era: options.hetznerEra,
    tokens: { readWrite: [tokens.own, tokens.node], readOnly: [tokens.readOnly] },
    audit,
    effects,
    network: { name: `${name}-network`, ipRange: fabric.privateRange },
  });
  cloud = running;
  progress(`cloud API at ${running.url}`);

  const servers = foundServers(running, name, options);
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
    hetznerUrl: running.url,
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
  await becomesReady(clock, machines, progress);
  await Promise.race([controllers.furnished, clock.sleep(FURNISHED_MS)]);

  const operations = createOperations({
    clock,
    speed,
    machines,
    render: (role) => renderConfig(provisioner, role),
    calls: createCloudCalls({ clock, url: cloudUrl, token: tokens.own }),
    cloud: running,
  });
  const keepChildren = setInterval(() => void writeChildren(state, machines).catch(() => {}), 1_000);
  await writeChildren(state, machines);

  return {
    audit,
    serviceAddress,
    info: () => describeWorld({ name, options, state, fabric, cloud: running, machines, parts, tokens }),
    operate: operations,
    async close() {
      clearInterval(keepChildren);
      await controllers.close();
      await running.close();
      await machines.close();
      await fabric.close();
    },
  };
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

function effectsOf(fabric: Fabric, machines: Machines, stopped: (id: number) => void): CloudEffects {
  const node = (server: CloudServer) => {
    const machine = machines.byServer(server.id);
    if (machine === undefined) throw new Error(`server ${server.id} has no machine`);
    return machine.node;
  };
  const inBackground = (work: Promise<void>): void => void work.catch((error: unknown) => console.error(textOf(error)));
  return {
    allocate: (purpose) => fabric.allocate(purpose),
    async serverCreated(server) {
      const machine = await machines.add(server);
      inBackground(machines.boot(machine, { kind: 'join' }));
    },
    serverDeleted: (server) => machines.remove(server.id),
    powerOn: async (server) => inBackground(node(server).powerOn()),
    powerOff: (server) => node(server).powerOff(),
    shutdown: async (server) => {
      inBackground(
        node(server)
          .shutdown()
          .then(() => stopped(server.id)),
      );
    },
    reboot: async (server) => inBackground(node(server).reboot()),
    reset: async (server) => {
      await node(server).powerOff();
      inBackground(node(server).powerOn());
    },
    routed: (floatingIP, server) =>
      fabric.route(floatingIP.ip, server === undefined ? undefined : machines.byServer(server.id)?.host),
  };
}

/** API servers of control planes that are up, at their hidden addresses, with the lab's own credential. */
const candidatesOf = (machines: Machines, clusterCA: KeyPair, client: KeyPair) => (): readonly Candidate[] =>
  machines
    .all()
    .filter((m) => m.node.role === 'control-plane' && m.host.condition === 'up' && m.node.info().kubeApiserver)
    .map((m) => ({
      node: m.server.name,
      access: { server: `https://${m.host.hidden}:6443`, serverName: 'localhost', ca: clusterCA.cert, ...client },
    }));

function controllersCertificate(clock: Clock, clusterCA: KeyPair): Promise<KeyPair> {
  const now = clock.wall().getTime();
  return issue(clusterCA, {
    commonName: 'fairlead-lab:controllers',
    organizations: ['system:masters'],
    usages: ['clientAuth'],
    notBefore: new Date(now - 10_000),
    notAfter: new Date(now + YEAR_MS),
  });
}

async function becomesReady(clock: Clock, machines: Machines, progress: (text: string) => void): Promise<void> {
  const deadline = clock.now() + 90_000;
  const told = new Set<string>();
  for (;;) {
    const waiting = machines.all().filter((m) => !m.node.info().ready);
    for (const machine of machines.all()) {
      if (!waiting.includes(machine) && !told.has(machine.server.name)) {
        told.add(machine.server.name);
        progress(`${machine.server.name} is ready at ${machine.server.publicIPv4}`);
      }
    }
    if (waiting.length === 0) return;
    if (clock.now() > deadline) {
      throw new Failure({
        code: 'lab-not-ready',
        what: 'The cluster did not become ready',
        why: `still waiting for ${waiting.map((m) => `${m.server.name} (${m.node.info().stage})`).join(', ')}`,
        state: 'The lab is being ended.',
        next: `Read ${waiting.map((m) => m.node.info().log).join(', ')}.`,
      });
    }
    await clock.sleep(50);
  }
}

/** Processes of this lab, so that `up` and `down` end exactly those, should the lab itself be killed. */
async function writeChildren(state: string, machines: Machines): Promise<void> {
  const pids = machines.all().flatMap((m) => {
    const info = m.node.info();
    return [info.etcd?.pid, info.kubeApiserver?.pid].filter((pid) => pid !== undefined);
  });
  const records = await Promise.all(pids.map(async (pid) => ({ pid, startTime: (await startTimeOf(pid)) ?? '' })));
  await writeFile(path.join(state, 'children.json'), JSON.stringify(records), { mode: 0o600 });
}

const notBuilt = (what: string): Failure =>
  new Failure({
    code: 'not-built',
    exit: EXIT.usage,
    what: `${what} is not built yet`,
    why: 'this version of the lab has the loopback fabric only',
    state: 'Nothing was started.',
    next: 'Use --fabric loopback.',
  });
