import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import { partyOf } from '../balancer/balancers.ts';
import { startCloud } from '../cloud/cloud.ts';
import type { Cloud } from '../cloud/types.ts';
import { startLoopback } from '../fabric/loopback.ts';
import { startNetns } from '../fabric/netns/netns.ts';
import { createWorldFaults, type WorldFaults } from '../faults/world.ts';
import { type KnobSettings, turnKnobs } from '../knobs/knobs.ts';
import { findParts } from '../kubernetes/parts.ts';
import { startControllers } from '../kubernetes/stand-ins/controllers.ts';
import { fromTalosPair } from '../pki/keys.ts';
import { renderConfig } from '../provisioner/render.ts';
import { createSecrets } from '../provisioner/secrets.ts';
import { type Audit, createAudit } from './audit.ts';
import { createCloudCalls } from './cloud-calls.ts';
import { candidatesOf, controllersCertificate } from './controllers.ts';
import { startDataPlane } from './data-plane.ts';
import { describeWorld } from './describe.ts';
import { effectsOf } from './effects.ts';
import { found } from './founding.ts';
import { cloudFront } from './front.ts';
import { type LabInfo, type LabOptions, labOptions } from './info.ts';
import type { IncidentPorts } from './incidents/ports.ts';
import { checkInvariants } from './invariants/check.ts';
import { createMachines, dialersOf } from './machines.ts';
import { createCuts, type Cuts } from './cuts.ts';
import { clusterName, token } from './names.ts';
import { createOperations } from './operations.ts';
import { writeChildren } from './processes.ts';
import { becomesReady } from './readiness.ts';
import { checkParts, partsChoiceOf, type Restored, resumeMachines } from './snapshot/restore.ts';
import { type SnapshotReport, takeSnapshot } from './snapshot/take.ts';

export interface WorldOptions extends LabOptions {
  /** The lab's folder; it exists and is empty but for lock and log. */
  readonly state: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly progress: (text: string) => void;
  /** A world that was kept, to go on with; its files lie in the folder. */
  readonly restored?: Restored;
}

export interface World {
  readonly audit: Audit;
  readonly faults: WorldFaults;
  /** The hand that kills a client at its k-th side effect. */
  readonly cuts: Cuts;
  /** What was turned when it was started. */
  readonly knobs: KnobSettings;
  /** An address that belongs to no machine, for the control server. */
  readonly serviceAddress: string;
  /** The file of the network namespace of a node or of `client`, as this process sees it; undefined: no such place. */
  placeFile(name: string): string | undefined;
  info(): LabInfo;
  /** `delete`, `recreate`, `replace`, `power-off`, `power-on`, `reboot` of one node, through the cloud's API. */
  operate(node: string, verb: string): Promise<Record<string, unknown>>;
  /** The world as an incident handles it. */
  readonly incidents: IncidentPorts;
  /** What is not as it has to be in any lab, whatever was done to it: empty, or a sentence each. */
  check(): Promise<readonly string[]>;
  /** An address that was given back becomes another customer's: TLS of an authority nobody here knows. */
  giveToStranger(address: string): Promise<void>;
  /** Writes the whole world into one file. */
  snapshot(file: string): Promise<SnapshotReport>;
  close(): Promise<void>;
}

const CLOUD_PORT = 8080;

/** Bound of the wait for the account that tokens are asked for; a cluster without it is still a cluster. */
const FURNISHED_MS = 5_000;

/** Brings up a cloud project with a running Talos cluster whose endpoint is its first control plane's own address. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { clock, random, state, speed, progress, restored } = options;
  const before = restored?.world;
  const knobs = turnKnobs(options.knobs ?? {});
  const choice = restored === undefined ? options.parts : partsChoiceOf(restored.manifest);
  const parts = await findParts(choice, { clock, random, env: options.env, etcd: knobs.etcd });
  if (restored !== undefined) checkParts(restored.manifest, parts);
  progress(`etcd: ${parts.etcd.backing}; kube-apiserver: ${parts.kubeApiserver.backing}`);

  const audit = createAudit(path.join(state, 'requests.jsonl'), () => clock.wall());
  const netns =
    options.fabric === 'netns'
      ? await startNetns({ random, dir: path.join(state, 'net'), ...before?.fabric })
      : undefined;
  const fabric =
    netns ?? (await startLoopback({ random, clock, processes: () => dialersOf(machines), ...before?.fabric }));
  const serviceAddress = before?.addresses.service ?? fabric.allocate('service');
  const name = before?.name ?? clusterName(random);
  const network = { name: `${name}-network`, ipRange: fabric.privateRange };
  const tokens = before?.tokens ?? { own: token(random), node: token(random), readOnly: token(random) };
  const secrets = before?.secrets ?? (await createSecrets({ clock }));
  const provisioner = path.join(state, 'provisioner');
  await mkdir(path.join(state, 'nodes'), { recursive: true, mode: 0o700 });

  let cloud: Cloud | undefined;
  const cloudUrl = (): string => cloud?.url ?? '';
  const clusterCA = fromTalosPair(secrets.certs.k8s);
  const machines = createMachines({
    clock,
    random,
    speed,
    version: options.talos,
    knobs: knobs.talos,
    fabric,
    parts,
    audit,
    cloudUrl,
    cloudFacts: (id) => {
      const server = cloud?.servers().find((known) => known.id === id);
      return (
        server && {
          publicIPv4: server.publicIPv4,
          publicIPv6: cloud?.publicIPv6(id) ?? '',
          privateNetworks: cloud?.privateNetworks(id) ?? [],
        }
      );
    },
    dir: path.join(state, 'nodes'),
  });
  const controllers = startControllers({
    clock,
    speed,
    candidates: candidatesOf(machines, clusterCA, await controllersCertificate(clock, clusterCA)),
    serverIds: () => cloud?.servers().map((s) => s.id) ?? [],
    log: (line) => console.log(line),
  });

  const faults = createWorldFaults({
    clock,
    fabric,
    tokens: { fairlead: tokens.own, node: tokens.node, 'read-only': tokens.readOnly },
    cloud: () => running,
    hosts: () => machines.all().map((machine) => machine.host),
    strangers: () => dataPlane.strangers,
    balancers: () => dataPlane.balancers.states().map(({ id, name }) => ({ name, party: partyOf(id) })),
    patients: () => machines.all().map(({ server, node, host }) => ({ name: server.name, node, host })),
  });
  const dataPlane = await startDataPlane({
    clock,
    speed,
    fabric,
    audit,
    dnsFault: faults.dns,
    ...(before && { dnsAddress: before.addresses.dns }),
    knobs,
    log: (line) => console.log(line),
  });
  const effects = faults.effects(effectsOf(fabric, machines, dataPlane, (id) => cloud?.stopped(id)));
  const front = cloudFront(fabric, serviceAddress, CLOUD_PORT);
  const running = await startCloud({
    address: front.address,
    port: CLOUD_PORT,
    url: front.url,
    clock,
    random,
    speed,
    era: options.hetznerEra,
    tokens: { readWrite: [tokens.own, tokens.node], readOnly: [tokens.readOnly] },
    audit,
    effects,
    faults: faults.cloud,
    knobs: knobs.cloud,
    network,
    ...(before && { project: before.project }),
  });
  await front.open();
  cloud = running;
  progress(`cloud API at ${running.url}`);

  if (restored === undefined) {
    await found({ clock, name, options, state, provisioner, secrets, tokens, cloud: running, machines });
    await becomesReady(clock, machines, progress);
    await Promise.race([controllers.furnished, clock.sleep(FURNISHED_MS)]);
  } else {
    await resumeMachines(restored, { state, parts, machines, cloud: running });
    const wereReady = restored.world.machines.filter(({ ready }) => ready).map(({ server }) => server.id);
    await becomesReady(clock, machines, progress, new Set(wereReady));
    await faults.registry.load(restored.world.faults);
  }

  const operations = createOperations({
    clock,
    speed,
    machines,
    render: (role) => renderConfig(provisioner, role),
    calls: createCloudCalls({
      url: () => front.ownUrl,
      token: tokens.own,
      ended: (action) => running.ended(action),
    }),
    cloud: running,
  });
  const info = (): LabInfo =>
    describeWorld({ name, options, state, fabric, cloud: running, machines, parts, tokens, dataPlane });
  const keepChildren = setInterval(() => void writeChildren(state, machines).catch(() => {}), 1_000);
  await writeChildren(state, machines);

  return {
    audit,
    faults,
    cuts: createCuts({ clock, audit, fabric, realApiServer: parts.kubeApiserver.backing.startsWith('real') }),
    knobs: options.knobs ?? {},
    serviceAddress,
    placeFile: (place) => netns?.fileOf(place),
    info: () => describeWorld({ name, options, state, fabric, cloud: running, machines, parts, tokens, dataPlane }),
    giveToStranger: (address) => dataPlane.strangers.give(address),
    operate: operations,
    incidents: {
      clock,
      speed,
      info,
      machines: () => machines.all(),
      setFault: (kind, parameters) => faults.set(kind, parameters),
      operate: operations,
      render: (role) => renderConfig(provisioner, role),
      cloudUrl: () => front.ownUrl,
    },
    check: () =>
      checkInvariants({
        clock,
        info,
        machines: () => machines.all(),
        faults: () => faults.registry.show(),
        secrets,
        tokens,
        controlPlanes: options.controlPlanes,
      }),
    snapshot: (file) =>
      takeSnapshot(
        {
          clock,
          options: labOptions(options),
          state,
          parts,
          machines,
          cloud: running,
          rest: () => ({
            name,
            tokens,
            secrets,
            addresses: { service: serviceAddress, dns: dataPlane.dns.address },
            fabric: fabric.memory(),
            faults: faults.registry.save(),
          }),
        },
        file,
      ),
    async close() {
      clearInterval(keepChildren);
      faults.registry.close();
      await controllers.close();
      await running.close();
      await dataPlane.close();
      await machines.close();
      await fabric.close();
    },
  };
}
