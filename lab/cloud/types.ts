import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import type { Audit } from '../world/audit.ts';
import type { CloudKnobs } from './knobs.ts';

export type Era = '2025' | 'until-2026-09' | 'from-2026-10';

/** A server as the world needs to know it; the API's own shape lives inside the cloud. */
export interface CloudServer {
  readonly id: number;
  readonly name: string;
  readonly status: 'running' | 'initializing' | 'starting' | 'stopping' | 'off' | 'deleting';
  readonly publicIPv4: string;
  readonly privateIPv4: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What a booting machine reads from the metadata service; never shown by the API. */
  readonly userData: string;
  readonly location: string;
}

export interface CloudFloatingIP {
  readonly id: number;
  readonly name: string;
  readonly ip: string;
  readonly server: number | null;
}

/**
 * What a successful action does to the world. Called when the action *succeeds*, never at the POST. An effect that
 * throws makes the action end in `error`.
 */
export interface CloudEffects {
  /** Addresses for a new server and a new floating IP: the fabric's. */
  allocate(purpose: 'public' | 'private' | 'floating'): string;
  serverCreated(server: CloudServer): Promise<void>;
  serverDeleted(server: CloudServer): Promise<void>;
  powerOn(server: CloudServer): Promise<void>;
  /** The cord is pulled. */
  powerOff(server: CloudServer): Promise<void>;
  /** ACPI: the signal is sent; the machine stops when it does. The world calls `cloud.stopped(id)` then. */
  shutdown(server: CloudServer): Promise<void>;
  reboot(server: CloudServer): Promise<void>;
  reset(server: CloudServer): Promise<void>;
  /** Where the address leads from now on; undefined = nowhere. */
  routed(floatingIP: CloudFloatingIP, server: CloudServer | undefined): Promise<void>;
}

export interface CloudOptions {
  readonly address: string;
  readonly port: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Divides the cloud's delays (1 to 30). */
  readonly speed: number;
  readonly era: Era;
  readonly tokens: { readonly readWrite: readonly string[]; readonly readOnly: readonly string[] };
  readonly audit: Audit;
  readonly effects: CloudEffects;
  /** Private network that new servers are attached to when a request names it. */
  readonly network: { readonly name: string; readonly ipRange: string };
  /** What is guessed about the API, or differs between projects; the rest as in DEFAULT_KNOBS. */
  readonly knobs?: Partial<CloudKnobs>;
}

export interface Cloud {
  /** http://address:port/v1 */
  readonly url: string;
  readonly servers: () => readonly CloudServer[];
  readonly floatingIPs: () => readonly CloudFloatingIP[];
  /** A server that existed before the story begins: no action, no effect is run. */
  addServer(spec: { name: string; labels: Record<string, string>; userData: string; location?: string }): CloudServer;
  /** A machine that was told to shut down has stopped: its status becomes `off`. */
  stopped(serverId: number): void;
  close(): Promise<void>;
}
