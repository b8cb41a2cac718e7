import { textOf } from '../../src/base/failure.ts';
import type { CloudEffects, CloudServer } from '../cloud/types.ts';
import { carries, hostAddress } from '../fabric/ipv6.ts';
import type { Fabric } from '../fabric/types.ts';
import type { DataPlane } from './data-plane.ts';
import type { Machines } from './machines.ts';

/** What a successful action of the cloud does to machines and routes. `stopped`: a machine told to shut down has. */
export function effectsOf(
  fabric: Fabric,
  machines: Machines,
  dataPlane: DataPlane,
  stopped: (id: number) => void,
): CloudEffects {
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
    async bootRescue(server) {
      await node(server).powerOff();
      // A kernel answers there, and nothing of the machine's own runs.
      await machines.byServer(server.id)?.host.setCondition('refusing');
    },
    async routed(floatingIP, server) {
      if (!carries(fabric, floatingIP.ip)) return;
      await fabric.route(floatingIP.ip, server === undefined ? undefined : machines.byServer(server.id)?.host);
    },
    async firewallChanged(server, rules) {
      const host = machines.byServer(server.id)?.host;
      if (host !== undefined) await fabric.firewall?.(host, rules);
    },
    async primaryIPRouted(ip, server) {
      if (!carries(fabric, ip)) return;
      const host = server === undefined ? undefined : machines.byServer(server.id)?.host;
      await host?.claim(hostAddress(ip));
      await fabric.route(ip, host);
    },
    async privateIPRouted(ip, server) {
      const host = server === undefined ? undefined : machines.byServer(server.id)?.host;
      await host?.claim(ip);
      await fabric.route(ip, host);
    },
    async rebuilt(server) {
      // Without new user data it has what it was made with.
      const userData = server.userData === '' ? (machines.byServer(server.id)?.server.userData ?? '') : server.userData;
      await machines.remove(server.id);
      const machine = await machines.add({ ...server, userData });
      inBackground(machines.boot(machine, { kind: 'join' }));
    },
    ...dataPlane.effects,
  };
}
