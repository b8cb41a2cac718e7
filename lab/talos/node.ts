import { readFile, rm } from 'node:fs/promises';
import type { EtcdBegin } from './control-plane/etcd.ts';
import { persist } from './apply/apply.ts';
import { makeFolders } from './files.ts';
import { keptOf } from './life/kept.ts';
import { createUptime, type Uptime } from './life/uptime.ts';
import { createMachine } from './machine.ts';
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

  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const run = life.then(work);
    life = run.catch(() => {});
    return run;
  };

  const up = async (begin: EtcdBegin): Promise<void> => {
    const mine = createUptime(machine, { reboot: rebootSoon, shutdown: () => later(() => node.shutdown()) });
    uptime = mine;
    machine.ailments.kernelHung = undefined;
    try {
      machine.persistent ??= await readFile(machine.paths.config, 'utf8');
      await mine.begin(machine.persistent, begin);
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

  const rebootSoon = (how: 'orderly' | 'forced'): void =>
    later(() => (how === 'orderly' ? node.reboot() : node.powerOff().then(() => node.powerOn())));

  /** After the reply that announces it. */
  const later = (work: () => Promise<void>): void => {
    ports.clock
      .sleep(50)
      .then(work)
      .catch((error: unknown) => machine.log(`failed: ${String(error)}`));
  };

  const node: LabNode = {
    facts,
    role,
    boot: (config, etcd) =>
      inTurn(async () => {
        await makeFolders([ports.dir, machine.paths.logs]);
        await persist(machine, config);
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
    shutdown: () =>
      inTurn(async () => {
        const mine = uptime;
        await mine?.stop('shutting-down');
        uptime = undefined;
        machine.stage = 'off';
      }),
    reboot: () =>
      inTurn(async () => {
        if (uptime === undefined) return;
        await uptime.stop('rebooting');
        uptime = undefined;
        await up({ kind: 'restart', first });
      }),
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
    keep: () => keptOf(machine, uptime, first),
    resume: (kept) =>
      inTurn(async () => {
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

  const infoOf = (): NodeInfo => {
    const plane = uptime?.controlPlane;
    const { derived } = machine.active ?? {};
    const etcd = plane?.etcd.part;
    const apiServer = plane?.apiServer.part;
    const files = plane?.pki.etcd;
    const healthy =
      role === 'worker' || (plane?.apiServer.ready === true && machine.services.get('etcd')?.healthy === true);
    return {
      stage: machine.stage,
      ...(machine.ailments.kernelHung === true ? { hung: true } : {}),
      ready:
        machine.stage === 'running' && uptime?.registered === true && healthy && unmetConditions(machine).length === 0,
      talosVersion: ports.version,
      configuredKubernetes: derived?.kubernetesVersion ?? '',
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
