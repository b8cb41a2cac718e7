import { createClient, type Client, type Transport } from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { State } from '../../../../src/generated/cosi/state_pb.ts';
import { issueLeaf } from '../../control-plane/certificates.ts';
import type { Machine } from '../../machine.ts';
import { MachineService } from '../generated/machine/machine_pb.ts';
import { TALOS_API_PORT } from '../ports.ts';

/** A node of the cluster as a health check knows it: its first address is what it is called by. */
export interface CheckedNode {
  readonly addresses: readonly string[];
  readonly role: 'control-plane' | 'worker';
}

export interface NodeClient {
  readonly machine: Client<typeof MachineService>;
  readonly state: Client<typeof State>;
}

/** Clients of the Talos API of other nodes, with the roles of the caller on whose behalf they are asked. */
export interface PeerClients {
  of(node: CheckedNode): Promise<NodeClient>;
  close(): void;
}

export function createPeerClients(machine: Machine, roles: readonly string[]): PeerClients {
  const { clock, host } = machine.ports;
  const sessions: Http2SessionManager[] = [];
  const known = new Map<string, Promise<NodeClient>>();
  const connect = async (address: string): Promise<NodeClient> => {
    const authority = machine.active?.derived.pki.machineCA;
    if (authority === undefined) throw new Error('no configuration');
    const pair = await issueLeaf(clock, authority, {
      commonName: '',
      organizations: roles,
      usages: ['clientAuth'],
    });
    const { facts, claims } = machine;
    const own = [facts.publicIPv4, facts.privateIPv4, ...claims.keys()].includes(address);
    const baseUrl = `https://${own ? host.hidden : address}:${TALOS_API_PORT}`;
    const tls = {
      ...pair,
      ca: authority.crt,
      localAddress: host.hidden,
      ...(own ? { checkServerIdentity: () => undefined } : {}),
    };
    const sessionManager = new Http2SessionManager(baseUrl, {}, tls);
    sessions.push(sessionManager);
    const transport: Transport = createGrpcTransport({ baseUrl, sessionManager });
    return { machine: createClient(MachineService, transport), state: createClient(State, transport) };
  };
  return {
    of(node) {
      const [address = ''] = node.addresses;
      const client = known.get(address) ?? connect(address);
      known.set(address, client);
      return client;
    },
    close() {
      for (const session of sessions) session.abort();
    },
  };
}
