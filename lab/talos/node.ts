import { readFile, rm } from 'node:fs/promises';
import type { EtcdBegin } from './control-plane/etcd.ts';
import { clusterIdOf } from './apply/inputs.ts';
import { argValue } from './control-plane/api-server-args.ts';
import { makeFolders } from './files.ts';
import { keptOf } from './life/kept.ts';
import { bootRelease } from './life/releases.ts';
import type { LifeRequest } from './life/request.ts';
import { createUptime, type Uptime } from './life/uptime.ts';
import { createMachine } from './machine.ts';
import { readMetadata } from './platform.ts';
import { unmetConditions } from './resources/runtime.ts';
import type { EtcdStart, LabNode, MachineFacts, NodeInfo, NodePorts } from './types.ts';

/**
 * A machine that runs Talos, from power to its end. What happens to it goes one after the other, but for the power: that
 * can be cut in the middle of anything.
 */
export function createNode(facts: MachineFacts, role: 'control-plane' | 'worker', ports: NodePorts): LabNode {
  const machine = createMachine(facts, role, ports);
  const { host } = ports;
  let uptime: Uptime | undefined;
  let life: Promise<void> = Promise.resolve();
  let first: EtcdStart = { kind: 'join' };
  /** The config it was given at its first boot. */
  let given = '';

  /** What happens to it now, or will next: a machine that has just been made will be booted. */
  let turns = 1;

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    turns += 1;
    const run = life.then(work).finally(() => (turns -= 1));
    life = run.catch(() => {});
    return run;
  };

  const up = async (begin: EtcdBegin): Promise<void> => {
    await bootRelease(machine);
    const mine = createUptime(machine, { live: (request) => later(() => live(request)) });
    uptime = mine;
    machine.ailments.kernelHung = undefined;
    try {
      machine.persistent ??= await readFile(machine.paths.config, 'utf8').catch(() => undefined);
      await mine.begin(machine.persistent ?? (await fromPlatform()), begin);
    } catch (error) {
      // Power that went away while it booted is no failure of the boot.
      if (uptime === mine) throw error;
    }
  };

  const darken = async (): Promise<void> => {
    const mine = uptime;
    uptime = undefined;
    await mine?.kill();
  };

  /** What the platform says the machine's config is: asked where the disk has none. */
  const fromPlatform = async (): Promise<string> => {
    if (ports.metadataUrl === undefined) return given;
    return (await readMetadata(ports.metadataUrl, 'userdata', `Talos node/${facts.hostname}`)) ?? '';
  };

  const live = (request: LifeRequest): Promise<void> => {
    if (request.kind === 'reboot' && request.force) return node.powerOff().then(() => node.powerOn());
    return inTurn(async () => {
      const mine = uptime;
      if (mine === undefined) return;
      const done = await mine.stop(request);
      // The power went away, or the machine, while it was going down.
      const cut = uptime !== mine;
      uptime = undefined;
      const off = request.kind === 'shutdown' || (request.kind === 'reset' && !request.reboot && done);
      // A disk that was wiped has no etcd any more that could go on.
      if (request.kind === 'reset' && done) first = { kind: 'join' };
      if (cut) return;
      if (!off) await up({ kind: 'restart', first });
      else machine.stage = 'off';
    });
  };

  /** After the reply that announces it. */
  const later = (work: () => Promise<void>): void => {
    ports.clock
      .sleep(50)
      .then(work)
      .catch((error: unknown) => machine.log(`failed: ${String(error)}`));
  };

  const node: LabNode = {
    facts,
    get role() {
      return machine.role;
    },
    boot: (config, etcd) =>
      inTurn(async () => {
        turns -= 1;
        await makeFolders([ports.dir, machine.paths.logs]);
        given = config;
        first = etcd;
        await up(etcd);
      }),
    async powerOff() {
      await host.setCondition('off');
      const killed = darken();
      await inTurn(async () => {
        await killed;
        machine.stage = 'off';
        machine.persistent = undefined;
      });
    },
    powerOn: () =>
      inTurn(async () => {
        if (uptime !== undefined || machine.stage === 'gone') return;
        await up({ kind: 'restart', first });
      }),
    // The power button does not wait for a drain.
    shutdown: () => live({ kind: 'shutdown', force: true, actorId: '' }),
    reboot: () => live({ kind: 'reboot', force: false, actorId: '' }),
    async destroy() {
      machine.stage = 'gone';
      const killed = darken();
      await inTurn(async () => {
        await killed;
        machine.stage = 'gone';
        await rm(ports.dir, { recursive: true, force: true });
        // A whole lab that ends does not lead its addresses elsewhere first.
        await host.remove().catch(() => {});
      });
    },
    info: () => infoOf(),
    keep: () => (turns > 0 ? undefined : keptOf(machine, uptime, first)),
    resume: (kept) =>
      inTurn(async () => {
        turns -= 1;
        await makeFolders([ports.dir, machine.paths.logs]);
        first = kept.first;
        machine.kept = kept;
        if (kept.stage === 'off') await host.setCondition('off');
        else await up({ kind: 'restart', first });
      }),
    inside: {
      machine,
      get uptime() {
        return uptime;
      },
    },
  };

  let cluster: { readonly text: string; readonly id: string | undefined } | undefined;
  const clusterOf = (): { cluster?: string } => {
    const text = machine.active?.text;
    if (text === undefined) return {};
    if (cluster?.text !== text) cluster = { text, id: clusterIdOf(text) };
    return cluster.id === undefined ? {} : { cluster: cluster.id };
  };

  const infoOf = (): NodeInfo => {
    const plane = uptime?.controlPlane;
    const { derived } = machine.active ?? {};
    const etcd = plane?.etcd.part;
    const apiServer = plane?.apiServer.part;
    const files = plane?.pki.etcd;
    const healthy =
      machine.role === 'worker' || (plane?.apiServer.ready === true && machine.services.get('etcd')?.healthy === true);
    return {
      stage: machine.stage,
      ...(machine.ailments.kernelHung === true ? { hung: true } : {}),
      ready:
        machine.stage === 'running' && uptime?.registered === true && healthy && unmetConditions(machine).length === 0,
      talosVersion: machine.ports.version,
      ...clusterOf(),
      configuredKubernetes: derived?.kubernetesVersion ?? '',
      apiPort: Number(argValue(derived?.kubeAPIServerArgs ?? [], '--secure-port') ?? 6443),
      ...(derived === undefined ? {} : { endpoint: derived.endpoint }),
      ...(etcd === undefined || files === undefined
        ? {}
        : {
            etcd: {
              endpoint: `https://${facts.privateIPv4}:2379`,
              ca: files.ca,
              cert: files.adminCert,
              key: files.adminKey,
              backing: etcd.backing,
              ...(etcd.pid === undefined ? {} : { pid: etcd.pid }),
              ...(machine.etcdMemberId === undefined
                ? {}
                : { memberId: machine.etcdMemberId.toString(16).padStart(16, '0') }),
            },
          }),
      ...(apiServer === undefined
        ? {}
        : {
            kubeApiserver: {
              backing: apiServer.backing,
              version: ports.parts.kubeApiserver.version,
              ...(apiServer.pid === undefined ? {} : { pid: apiServer.pid }),
            },
          }),
      log: machine.paths.nodeLog,
      claims: [...machine.claims.keys()],
    };
  };

  return node;
}
