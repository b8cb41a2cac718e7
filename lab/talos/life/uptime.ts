import { randomUUID } from 'node:crypto';
import { create, toBinary } from '@bufbuild/protobuf';
import { textOf } from '../../../src/base/failure.ts';
import { State } from '../../../src/generated/cosi/state_pb.ts';
import {
  MachineService,
  MachineStatusEvent_MachineStage as Stage,
  MachineStatusEventSchema,
} from '../api/generated/machine/machine_pb.ts';
import type { KeyPair } from '../../pki/types.ts';
import { createEventLog, type EventLog, type MachineControl } from '../api/control.ts';
import { createForwarder } from '../api/forward.ts';
import { machineCalls } from '../api/machine-service.ts';
import { TALOS_API_PORT, TRUSTD_PORT } from '../api/ports.ts';
import { listenGrpc, type ApiServer, type ApiServerOptions } from '../api/server.ts';
import { stateCalls } from '../api/state-service.ts';
import { servingCertificateFromPeers, trustRoutes } from '../api/trust.ts';
import { createApplier, type ApplyRequest, type ApplyResult, type ConfigApplier } from '../apply/apply.ts';
import { inputsOf } from '../apply/inputs.ts';
import { talosApiCertificate } from '../control-plane/certificates.ts';
import { createControlPlane, type ControlPlane } from '../control-plane/control-plane.ts';
import type { EtcdBegin } from '../control-plane/etcd.ts';
import type { ActiveConfig, Machine } from '../machine.ts';
import { projectResources } from '../resources/project.ts';
import { unmetConditions } from '../resources/runtime.ts';
import { createResourceStore } from '../resources/store.ts';
import type { NodeStage } from '../types.ts';
import { startNodeAgent, type NodeAgent } from './node-agent.ts';

/** One uptime of a machine: from power to darkness. A reboot is another one. */
export interface Uptime {
  readonly controlPlane: ControlPlane | undefined;
  /** Kubernetes has been told of this machine since it booted. */
  readonly registered: boolean;
  /** The active config is only tried. */
  readonly trying: boolean;
  /** For the lab's faults, which lay hands on a machine from inside. */
  readonly inside: UptimeInside;
  /** Boots. Resolves when the Talos API listens, or when the machine waits in maintenance. */
  begin(config: string, begin: EtcdBegin): Promise<void>;
  /** Orderly end: shared IPs handed over, pods, etcd, the API last. */
  stop(stage: NodeStage): Promise<void>;
  /** The cord is pulled. */
  kill(): Promise<void>;
}

export interface UptimeInside {
  /** Aborted when the machine goes down. */
  readonly signal: AbortSignal;
  apply(request: ApplyRequest): Promise<ApplyResult>;
  /** It has an address on a link, or has it no more; what follows from that is derived anew. */
  arrived(ip: string, link: string): Promise<void>;
  left(ip: string): Promise<void>;
  /** What follows from config and facts is derived anew. */
  derive(): void;
  setApid(state: 'up' | 'down'): Promise<void>;
  setKubelet(state: 'up' | 'down'): void;
}

export interface UptimePorts {
  readonly reboot: (how: 'orderly' | 'forced') => void;
  readonly shutdown: () => void;
}

const PORTS = [TALOS_API_PORT, TRUSTD_PORT, 2379, 2380, 6443];
/** Talos waits this long for the shared IPs before it goes down all the same. */
const RELEASE_WAIT_MS = 30_000;

export function createUptime(machine: Machine, ports: UptimePorts): Uptime {
  const { clock, host } = machine.ports;
  const down = new AbortController();
  const signal = down.signal;
  const events: EventLog = createEventLog(randomUUID);
  let api: ApiServer | undefined;
  let apidOptions: ApiServerOptions | undefined;
  let trustd: ApiServer | undefined;
  let agent: NodeAgent | undefined;
  let effects: Promise<void> = Promise.resolve();

  const enqueue = (work: () => Promise<void>): void => {
    effects = effects.then(async () => {
      if (signal.aborted) return;
      try {
        await work();
      } catch (error) {
        if (!signal.aborted) machine.log(`controller failed {"error": "${textOf(error)}"}`);
      }
    });
  };

  const reissueTalosApi = async (active: ActiveConfig): Promise<void> => {
    api?.setCertificate(await servingCertificate(machine, active, signal));
  };

  /** The machine's addresses changed: what follows from them is derived anew, and only certificates are written. */
  const addressesChanged = (): void => {
    const before = machine.active;
    if (before === undefined) return;
    const verdict = machine.derive(before.text);
    if (verdict.kind === 'refused') return;
    const after = { text: before.text, derived: verdict.derived, warnings: verdict.warnings };
    machine.active = after;
    machine.changed();
    enqueue(async () => {
      await controlPlane?.addressesChanged(before, after);
      if (differ(before.derived.talosApiCertificate, after.derived.talosApiCertificate)) await reissueTalosApi(after);
    });
  };

  const addresses = {
    async arrived(ip: string, link: string): Promise<void> {
      await host.claim(ip);
      machine.claims.set(ip, link);
      machine.earlier.delete(ip);
      addressesChanged();
    },
    async left(ip: string): Promise<void> {
      await host.unclaim(ip);
      machine.claims.delete(ip);
      machine.earlier.add(ip);
      addressesChanged();
    },
  };
  const controlPlane = machine.role === 'worker' ? undefined : createControlPlane(machine, addresses);

  const applier: ConfigApplier = createApplier(machine, {
    adopt(before, after) {
      enqueue(async () => {
        // Effects come after the reply.
        await clock.sleep(20, signal);
        for (const warning of after.derived.warnings) machine.log(warning);
        if (differ(before.derived.ingress, after.derived.ingress)) await host.ingress?.(after.derived.ingress);
        const names = differ(before.derived.talosApiCertificate, after.derived.talosApiCertificate);
        if (names || inputsOf(before.text).talosRoot !== inputsOf(after.text).talosRoot) await reissueTalosApi(after);
        await controlPlane?.adopt(before, after);
      });
    },
    reboot: () => ports.reboot('orderly'),
  });

  const store = createResourceStore(clock, () =>
    projectResources(machine, {
      operators: () => controlPlane?.vips.operators() ?? [],
      podVersions: () => controlPlane?.versions(),
    }),
  );
  const offChange = machine.onChange(() => store.refresh());

  const control: MachineControl = {
    etcd: () => controlPlane?.etcd,
    apply: (request) => applier.apply(request),
    reboot: ports.reboot,
    shutdown: ports.shutdown,
    restartKubelet: async () => controlPlane?.kubelet.restart(),
    async restartEtcd() {
      await controlPlane?.etcd.stop();
      await controlPlane?.etcd.start({ kind: 'restart', first: { kind: 'join' } }, signal);
    },
    events,
  };

  const setStage = (stage: NodeStage): void => {
    machine.stage = stage;
    machine.changed();
    const unmet = unmetConditions(machine);
    const message = create(MachineStatusEventSchema, {
      stage: EVENT_STAGES[stage],
      status: { ready: unmet.length === 0, unmetConditions: unmet },
    });
    events.emit({ actorId: '', type: 'MachineStatusEvent', value: toBinary(MachineStatusEventSchema, message) });
  };

  const openApi = async (active: ActiveConfig): Promise<void> => {
    const certificate = await servingCertificate(machine, active, signal);
    signal.throwIfAborted();
    const address = host.hidden;
    const machineCA = active.derived.pki.machineCA;
    const forward = createForwarder(machine);
    // Power may go while a server is being opened: what opens too late is closed again.
    const open = async (options: ApiServerOptions): Promise<ApiServer> => {
      const server = await listenGrpc(machine, options);
      if (signal.aborted) await server.close();
      signal.throwIfAborted();
      return server;
    };
    apidOptions = {
      address,
      port: TALOS_API_PORT,
      certificate,
      clientCA: machineCA.crt,
      routes: (router) =>
        router.service(MachineService, machineCalls(machine, control)).service(State, stateCalls(store, clock)),
      forward,
    };
    api = await open(apidOptions);
    await host.open(TALOS_API_PORT);
    if (machineCA.key !== undefined && machineCA.key !== '') {
      trustd = await open({ address, port: TRUSTD_PORT, certificate, routes: trustRoutes(machine) });
      await host.open(TRUSTD_PORT);
      machine.service('trustd', 'Running', true, 'Health check successful');
    }
    machine.service('apid', 'Running', true, 'Health check successful');
  };

  /** etcd, kubelet, pods. */
  const startServices = async (begin: EtcdBegin): Promise<void> => {
    const up = (): void => {
      if (machine.stage === 'booting') setStage('running');
      machine.log('boot sequence: done');
    };
    if (controlPlane === undefined) {
      machine.service('kubelet', 'Running', true, 'Health check successful');
      up();
    } else await controlPlane.start(begin, signal, up);
    const { active } = machine;
    if (!signal.aborted && active !== undefined) agent = startNodeAgent(machine, active, signal);
    setStage(machine.stage);
  };

  const shutPorts = (): Promise<unknown> => Promise.all(PORTS.map((port) => host.shut(port)));

  const closeApi = async (): Promise<void> => {
    await Promise.all([api?.close(), trustd?.close()]);
    api = undefined;
    trustd = undefined;
  };

  const inside: UptimeInside = {
    signal,
    apply: (request) => applier.apply(request),
    ...addresses,
    derive: addressesChanged,
    async setApid(state) {
      const { active } = machine;
      if (state === 'down') {
        machine.service('apid', 'Failed', false, 'Task apid ended');
        await host.shut(TALOS_API_PORT);
        await api?.close();
        api = undefined;
      } else if (api === undefined && apidOptions !== undefined && active !== undefined) {
        api = await listenGrpc(machine, { ...apidOptions, certificate: await servingCertificate(machine, active, signal) });
        await host.open(TALOS_API_PORT);
        machine.service('apid', 'Running', true, 'Health check successful');
      }
    },
    setKubelet(state) {
      const { active } = machine;
      if (controlPlane !== undefined) controlPlane.kubelet.set(state);
      else if (state === 'up') machine.service('kubelet', 'Running', true, 'Health check successful');
      else machine.service('kubelet', 'Failed', false, 'Task kubelet ended');
      agent?.stop();
      if (state === 'up' && active !== undefined) agent = startNodeAgent(machine, active, signal);
    },
  };

  /** Everything that memory held is gone. */
  const forget = async (): Promise<void> => {
    offChange();
    applier.cancelRevert();
    for (const ip of machine.claims.keys()) await host.unclaim(ip);
    await shutPorts();
    machine.forget();
  };

  return {
    controlPlane,
    inside,
    get registered() {
      return agent?.registered === true;
    },
    get trying() {
      return applier.trying;
    },
    async begin(onDisk, begin) {
      machine.bootTime = clock.wall();
      machine.bootId = randomUUID();
      setStage('booting');
      machine.log(`[talos] starting Talos ${machine.ports.version}`);
      const { kept } = machine;
      if (kept === undefined) await clock.sleep(machine.times.bootMs, signal);
      for (const address of kept?.earlier ?? []) machine.earlier.add(address);
      const config = kept?.active ?? onDisk;
      await host.setCondition('up');
      const verdict = machine.derive(config);
      if (verdict.kind === 'refused') {
        machine.log(`failed to load config: ${verdict.message}`);
        setStage('maintenance');
        return;
      }
      machine.active = { text: config, derived: verdict.derived, warnings: verdict.warnings };
      for (const warning of [...verdict.warnings, ...verdict.derived.warnings]) machine.log(warning);
      machine.service('machined', 'Running', true, 'Health check successful');
      await host.ingress?.(verdict.derived.ingress);
      await openApi(machine.active);
      void startServices(begin).catch((error: unknown) => {
        if (!signal.aborted) machine.log(`boot sequence: failed: ${textOf(error)}`);
      });
    },
    async stop(stage) {
      setStage(stage);
      if (controlPlane !== undefined) {
        // The address is handed over before anything else goes; a cloud that hangs holds this up only so long.
        const wait = new AbortController();
        const bound = clock.sleep(RELEASE_WAIT_MS / machine.ports.speed, wait.signal).catch(() => {});
        await Promise.race([controlPlane.vips.stop(), bound]);
        wait.abort();
        await controlPlane.kubelet.stop();
        await controlPlane.etcd.stop();
      }
      down.abort();
      agent?.stop();
      controlPlane?.vips.kill();
      await closeApi();
      await host.setCondition('off');
      await effects;
      await forget();
    },
    async kill() {
      down.abort();
      agent?.stop();
      controlPlane?.vips.kill();
      await Promise.all([closeApi(), controlPlane?.etcd.kill(), controlPlane?.apiServer.kill()]);
      await effects;
      await forget();
    },
  };
}

/** A control plane signs its own certificate; a worker has a control plane sign it. */
function servingCertificate(machine: Machine, active: ActiveConfig, signal: AbortSignal): Promise<KeyPair> {
  const { derived } = active;
  const key = derived.pki.machineCA.key;
  return key === undefined || key === ''
    ? servingCertificateFromPeers(machine, active, signal)
    : talosApiCertificate(machine.ports.clock, derived, machine.facts.hostname);
}

const EVENT_STAGES: Readonly<Record<NodeStage, Stage>> = {
  booting: Stage.BOOTING,
  maintenance: Stage.MAINTENANCE,
  running: Stage.RUNNING,
  rebooting: Stage.REBOOTING,
  'shutting-down': Stage.SHUTTING_DOWN,
  off: Stage.UNKNOWN,
  gone: Stage.UNKNOWN,
};

const differ = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
