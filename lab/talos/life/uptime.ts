import { randomUUID } from 'node:crypto';
import { textOf } from '../../../src/base/failure.ts';
import type { MachineControl } from '../api/control.ts';
import { TALOS_API_PORT, TRUSTD_PORT } from '../api/ports.ts';
import { talosRoutes } from '../api/routes.ts';
import { createApplier, type ApplyRequest, type ApplyResult, type ConfigApplier } from '../apply/apply.ts';
import { inputsOf } from '../apply/inputs.ts';
import { persist } from '../apply/persist.ts';
import { createControlPlane, type ControlPlane } from '../control-plane/control-plane.ts';
import type { EtcdBegin } from '../control-plane/etcd.ts';
import type { ActiveConfig, Machine } from '../machine.ts';
import { projectResources } from '../resources/project.ts';
import { createResourceStore } from '../resources/store.ts';
import type { NodeStage } from '../types.ts';
import { uncordon } from './cordon.ts';
import { createDoors } from './doors.ts';
import { downTasks } from './down.ts';
import { createKubePrism } from './kube-prism.ts';
import { startNodeAgent, type NodeAgent } from './node-agent.ts';
import { phasesOf, SEQUENCES } from './phases.ts';
import type { LifeRequest } from './request.ts';
import { runSequence } from './sequence.ts';
import { announceStatus } from './status.ts';

/** One uptime of a machine: from power to darkness. A reboot is another one. */
export interface Uptime {
  readonly controlPlane: ControlPlane | undefined;
  /** Kubernetes has been told of this machine since it booted. */
  readonly registered: boolean;
  /** The active config is only tried. */
  readonly trying: boolean;
  /** For the lab's faults, which lay hands on a machine from inside. */
  readonly inside: UptimeInside;
  /** Boots. Resolves when the Talos API listens; without a config that can be used, for maintenance. */
  begin(config: string, begin: EtcdBegin): Promise<void>;
  /** Orderly end, in Talos' steps: shared IPs handed over, pods, etcd, the API last. Answers whether all went well. */
  stop(request: LifeRequest): Promise<boolean>;
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
  /** Begins soon. */
  readonly live: (request: LifeRequest) => void;
}

const STAGES: Readonly<Record<LifeRequest['kind'], NodeStage>> = {
  reboot: 'rebooting',
  shutdown: 'shutting-down',
  reset: 'resetting',
  upgrade: 'upgrading',
};
/** A packet's way out. */
const FAREWELL_MS = 20;
/** What every node runs beside what it is there for. */
const SYSTEM_SERVICES = ['machined', 'auditd', 'containerd', 'cri', 'syslogd', 'udevd'];
const PORTS = [TALOS_API_PORT, TRUSTD_PORT, 2379, 2380, 6443];

export function createUptime(machine: Machine, ports: UptimePorts): Uptime {
  const { clock, host } = machine.ports;
  const down = new AbortController();
  const signal = down.signal;
  let controlPlane: ControlPlane | undefined;
  let begun: EtcdBegin = { kind: 'join' };
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
      if (differ(before.derived.talosApiCertificate, after.derived.talosApiCertificate)) await doors.reissue(after);
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
  const applier: ConfigApplier = createApplier(machine, {
    adopt(before, after) {
      enqueue(async () => {
        // Effects come after the reply.
        await clock.sleep(20, signal);
        for (const warning of after.derived.warnings) machine.log(warning);
        if (differ(before.derived.ingress, after.derived.ingress)) await host.ingress?.(after.derived.ingress);
        const names = differ(before.derived.talosApiCertificate, after.derived.talosApiCertificate);
        if (names || inputsOf(before.text).talosRoot !== inputsOf(after.text).talosRoot) await doors.reissue(after);
        await prism.follow();
        await controlPlane?.adopt(before, after);
      });
    },
    reboot: () => ports.live({ kind: 'reboot', force: false, actorId: '' }),
    configured: (text) => void leaveMaintenance(text).catch(bootFailed),
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
    live: ports.live,
    startKubelet: async () => inside.setKubelet('up'),
    async stopKubelet() {
      inside.setKubelet('down');
      machine.service('kubelet', 'Finished', undefined, 'Service finished successfully');
    },
    async restartKubelet() {
      if (controlPlane !== undefined) return controlPlane.kubelet.restart();
      machine.service('kubelet', 'Stopping', undefined, 'Sending SIGTERM to task kubelet');
      inside.setKubelet('up');
    },
    async restartEtcd() {
      await controlPlane?.etcd.stop();
      await controlPlane?.etcd.start({ kind: 'restart', first: { kind: 'join' } }, signal);
    },
    async restartPod(name) {
      const pod = [...machine.pods.values()].find((candidate) => candidate.name === name);
      if (pod === undefined) return;
      pod.restarts += 1;
      machine.changed();
      // That it ended is seen, and it is begun again.
      if (name === 'kube-apiserver') await controlPlane?.apiServer.part?.stop(machine.times.podGraceMs);
    },
  };
  const doors = createDoors(machine, signal, talosRoutes(machine, control, store));
  const offStatus = announceStatus(machine);
  const prism = createKubePrism(machine, signal);

  const setStage = (stage: NodeStage): void => {
    machine.stage = stage;
    machine.changed();
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
    void uncordon(machine);
  };

  const bootFailed = (error: unknown): void => {
    if (!signal.aborted) machine.log(`boot sequence: failed: ${textOf(error)}`);
  };

  /** With a config: what it says the machine is. */
  const run = async (active: ActiveConfig): Promise<void> => {
    machine.active = active;
    machine.role = active.derived.role;
    if (machine.role === 'control-plane') controlPlane = createControlPlane(machine, addresses);
    for (const warning of [...active.warnings, ...active.derived.warnings]) machine.log(warning);
    for (const id of SYSTEM_SERVICES) machine.service(id, 'Running', true, 'Health check successful');
    await host.ingress?.(active.derived.ingress);
    await doors.openFor(active);
    await prism.follow();
    void startServices(begun).catch(bootFailed);
  };

  const leaveMaintenance = async (text: string): Promise<void> => {
    // After the reply.
    await clock.sleep(50, signal);
    const verdict = machine.derive(text);
    if (verdict.kind === 'refused') throw new Error(verdict.message);
    setStage('booting');
    await run({ text, derived: verdict.derived, warnings: verdict.warnings });
  };

  const shutPorts = (): Promise<unknown> => Promise.all(PORTS.map((port) => host.shut(port)));

  const inside: UptimeInside = {
    signal,
    apply: (request) => applier.apply(request),
    ...addresses,
    derive: addressesChanged,
    setApid: (state) => doors.setApid(state),
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
    offStatus();
    applier.cancelRevert();
    for (const ip of machine.claims.keys()) await host.unclaim(ip);
    await shutPorts();
    machine.forget();
  };

  return {
    get controlPlane() {
      return controlPlane;
    },
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
      begun = begin;
      const verdict = machine.derive(config);
      if (verdict.kind === 'accepted') {
        if (onDisk !== machine.persistent) await persist(machine, onDisk);
        await run({ text: config, derived: verdict.derived, warnings: verdict.warnings });
        return;
      }
      if (config !== '') machine.log(`failed to load config: ${verdict.message}`);
      machine.log('entering maintenance service');
      machine.service('machined', 'Running', true, 'Health check successful');
      await doors.openForMaintenance();
      setStage('maintenance');
    },
    async stop(request) {
      setStage(STAGES[request.kind]);
      let done = true;
      try {
        const tasks = downTasks(machine, controlPlane, request);
        const phases = phasesOf(request, tasks, controlPlane !== undefined);
        await runSequence(machine, SEQUENCES[request.kind], phases, request.actorId);
      } catch (error) {
        done = false;
        machine.log(`${SEQUENCES[request.kind]} sequence: failed: ${textOf(error)}`);
      }
      down.abort();
      agent?.stop();
      controlPlane?.vips.kill();
      await doors.close();
      // Its peers hear that the connections have ended; the network falls silent after that.
      await clock.sleep(FAREWELL_MS);
      // What an orderly end that failed half way has left running.
      await Promise.all([controlPlane?.etcd.kill(), controlPlane?.apiServer.kill()]);
      await host.setCondition('off');
      await effects;
      await forget();
      return done;
    },
    async kill() {
      down.abort();
      agent?.stop();
      controlPlane?.vips.kill();
      await Promise.all([doors.close(), controlPlane?.etcd.kill(), controlPlane?.apiServer.kill()]);
      await effects;
      await forget();
    },
  };
}

const differ = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
