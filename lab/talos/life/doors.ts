import type { ConnectRouter } from '@connectrpc/connect';
import { createForwarder } from '../api/forward.ts';
import { TALOS_API_PORT, TRUSTD_PORT } from '../api/ports.ts';
import { listenGrpc, type ApiServer, type ApiServerOptions } from '../api/server.ts';
import { servingCertificateFromPeers, trustRoutes } from '../api/trust.ts';
import { talosApiCertificate } from '../control-plane/certificates.ts';
import type { ActiveConfig, Machine } from '../machine.ts';
import type { KeyPair } from '../../pki/types.ts';
import { maintenanceCertificate } from './maintenance.ts';

/** Where the machine is spoken to: apid and, on a control plane, trustd. */
export interface Doors {
  /** With the certificate and for the certificates of a config; what was open for maintenance is closed. */
  openFor(active: ActiveConfig): Promise<void>;
  /** To anyone, with a certificate that nobody can check. */
  openForMaintenance(): Promise<void>;
  /** From the next handshake on. */
  reissue(active: ActiveConfig): Promise<void>;
  /** apid ends and begins by itself. */
  setApid(state: 'up' | 'down'): Promise<void>;
  close(): Promise<void>;
}

/** What a stranger may do with a machine that has no config. */
const MAINTENANCE_ROLES = ['os:reader'];

export function createDoors(machine: Machine, signal: AbortSignal, routes: (router: ConnectRouter) => void): Doors {
  const { host } = machine.ports;
  let api: ApiServer | undefined;
  let options: ApiServerOptions | undefined;
  let trustd: ApiServer | undefined;
  const forward = createForwarder(machine);

  // Power may go while a server is being opened: what opens too late is closed again.
  const open = async (wanted: ApiServerOptions): Promise<ApiServer> => {
    const server = await listenGrpc(machine, wanted);
    if (signal.aborted) await server.close();
    signal.throwIfAborted();
    return server;
  };
  const base = { address: host.hidden, port: TALOS_API_PORT, routes, forward };
  const openApid = async (wanted: ApiServerOptions): Promise<void> => {
    await api?.close();
    options = wanted;
    api = await open(wanted);
    await host.open(TALOS_API_PORT);
    machine.service('apid', 'Running', true, 'Health check successful');
  };

  return {
    async openFor(active) {
      const certificate = await servingCertificate(machine, active, signal);
      signal.throwIfAborted();
      const { machineCA } = active.derived.pki;
      await openApid({ ...base, certificate, clientCA: machineCA.crt });
      if (machineCA.key === undefined || machineCA.key === '') return;
      trustd = await open({ address: host.hidden, port: TRUSTD_PORT, certificate, routes: trustRoutes(machine) });
      await host.open(TRUSTD_PORT);
      machine.service('trustd', 'Running', true, 'Health check successful');
    },
    async openForMaintenance() {
      await openApid({ ...base, certificate: await maintenanceCertificate(machine), roles: MAINTENANCE_ROLES });
    },
    async reissue(active) {
      api?.setCertificate(await servingCertificate(machine, active, signal));
    },
    async setApid(state) {
      const { active } = machine;
      if (state === 'down') {
        machine.service('apid', 'Failed', false, 'Task apid ended');
        await host.shut(TALOS_API_PORT);
        await api?.close();
        api = undefined;
      } else if (api === undefined && options !== undefined && active !== undefined) {
        await openApid({ ...options, certificate: await servingCertificate(machine, active, signal) });
      }
    },
    async close() {
      await Promise.all([api?.close(), trustd?.close()]);
      api = undefined;
      trustd = undefined;
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
