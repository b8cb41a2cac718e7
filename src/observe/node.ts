import * as z from 'zod';
import { type Fact, known, unknown, valueOf } from '../model/fact.ts';
import type {
  EtcdObservation,
  LinkAddress,
  LinkFacts,
  NodeClock,
  NodeConfig,
  NodeObservation,
  ServedCertificate,
} from '../model/observation.ts';
import { sha256 } from '../base/digest.ts';
import { endpointUrl } from '../model/endpoint.ts';
import { readNodeConfig } from './node-config.ts';
import type { HandshakeResult } from '../probe/types.ts';
import type { Server } from '../systems/hetzner/types.ts';
import type { TalosClient } from '../systems/talos/types.ts';
import type { KubernetesNode, Role } from '../model/observation.ts';
import { ask, type Look } from './look.ts';
import type { Systems } from './systems.ts';
import { TIMEOUTS } from './timeouts.ts';

export interface NodeIdentity {
  readonly name: string;
  readonly role: Role;
  readonly address: string | undefined;
  readonly ownAddresses: readonly string[];
  readonly server: Server | undefined;
  readonly kubernetes: KubernetesNode | undefined;
  /** As an earlier look of the same run found it: a time server is not asked in every look. */
  readonly clock: NodeObservation['clock'];
}

const QUICK_MS = 1_000;

const addressSpec = z.looseObject({ address: z.string(), linkName: z.string() });
const machineSpec = z.looseObject({
  stage: z.string(),
  status: z
    .looseObject({
      ready: z.boolean(),
      unmetConditions: z.array(z.looseObject({ name: z.string() })).nullish(),
    })
    .nullish(),
});

/** Everything one node says of itself, at its own address. A node that does not answer costs one time-out and is all unknown. */
export async function observeNode(systems: Systems, identity: NodeIdentity, look: Look): Promise<NodeObservation> {
  const { address, name } = identity;
  if (address === undefined)
    return silent(identity, { kind: 'unknown', why: 'no address of its own is known', source: name });
  const talos = systems.talos(address);
  // A kept connection may have been closed at the other end a moment ago: a failure that came at once is asked once more.
  const read = async <T>(what: string, question: (signal: AbortSignal) => Promise<T>): Promise<Fact<T>> => {
    const started = look.clock.now();
    const fact = await ask(look, `${what} of ${name}`, TIMEOUTS.talosMs, question);
    return fact.kind === 'unknown' && look.clock.now() - started < QUICK_MS
      ? ask(look, `${what} of ${name}`, TIMEOUTS.talosMs, question)
      : fact;
  };
  const [version, api] = await Promise.all([
    ask(
      look,
      `talos version of ${name}`,
      TIMEOUTS.talosFirstMs,
      async (signal) => (await talos.version(signal).catch(() => talos.version(signal))).tag,
    ),
    identity.role === 'worker' ? undefined : observeApi(systems, address, 6443, look),
  ]);
  if (version.kind === 'unknown') {
    // A node whose Talos is silent and whose API server lives is not dead: it still accepts and refuses tokens.
    const lives = api?.certificate.kind === 'known';
    return lives ? { ...silent(identity, version), ...api } : silent(identity, version);
  }

  const [config, persistentSha256, links, linkFacts, stage, services, etcd, clock] = await Promise.all([
    observeConfig(talos, read),
    read('persistent machine config', async (signal) => {
      const persistent = await talos.machineConfig('persistent', signal);
      if (persistent === undefined) throw new Error('the node has no persistent machine config to show');
      return sha256(persistent.text.reveal());
    }),
    read('addresses', (signal) => observeLinks(talos, signal)),
    read('links', (signal) => observeLinkFacts(talos, signal)),
    read('machine status', async (signal) => {
      const resource = await talos.get('runtime', 'MachineStatuses.runtime.talos.dev', 'machine', signal);
      const spec = machineSpec.parse(resource?.spec);
      const unmet = (spec.status?.unmetConditions ?? []).map((condition) => condition.name);
      return { stage: spec.stage, ready: spec.status?.ready ?? false, unmet };
    }),
    read('services', (signal) => talos.services(signal)),
    identity.role === 'worker' ? undefined : observeEtcd(talos, read),
    identity.clock ?? observeClock(talos, name, look),
  ]);
  const port = valueOf(config)?.apiServerPort ?? 6443;
  const atOtherPort = etcd !== undefined && port !== 6443 ? await observeApi(systems, address, port, look) : undefined;
  const role = identity.role === 'unknown' ? (valueOf(config)?.role ?? 'unknown') : identity.role;
  return {
    ...identity,
    role,
    talosVersion: version,
    config,
    persistentSha256,
    links,
    linkFacts,
    stage,
    services,
    clock,
    etcd,
    certificate: atOtherPort?.certificate ?? api?.certificate,
    apiReady: atOtherPort?.apiReady ?? api?.apiReady,
  };
}

type Read = <T>(what: string, question: (signal: AbortSignal) => Promise<T>) => Promise<Fact<T>>;

const observeConfig = (talos: TalosClient, read: Read): Promise<Fact<NodeConfig>> =>
  read('machine config', async (signal) => {
    const active = await talos.machineConfig('active', signal);
    if (active === undefined) throw new Error('the node has no machine config');
    return readNodeConfig(active.text);
  });

/** A node whose time server does not answer says nothing: that is waited for a moment only, and is no trouble by itself. */
const CLOCK_MS = 2_000;

const observeClock = (talos: TalosClient, name: string, look: Look): Promise<Fact<NodeClock>> =>
  ask(look, `clock of ${name}`, CLOCK_MS, async (signal) => {
    const asked = look.clock.wall().getTime();
    const { own, reference, server } = await talos.clocks(signal);
    const here = (asked + look.clock.wall().getTime()) / 2;
    return {
      offsetMs: own.getTime() - reference.getTime(),
      referenceMs: Math.round(reference.getTime() - here),
      server,
    };
  });

/** Addresses on links, as Talos sees them now. */
export const observeLinks = async (talos: TalosClient, signal?: AbortSignal): Promise<readonly LinkAddress[]> =>
  (await talos.list('network', 'AddressStatuses.net.talos.dev', signal)).map((resource) => {
    const { address, linkName } = addressSpec.parse(resource.spec);
    return { address, link: linkName };
  });

const SELECTABLE = ['busPath', 'hardwareAddr', 'permanentAddr', 'pciID', 'driver'] as const;

const observeLinkFacts = async (talos: TalosClient, signal: AbortSignal): Promise<readonly LinkFacts[]> =>
  (await talos.list('network', 'LinkStatuses.net.talos.dev', signal)).map((resource) => {
    const spec = z.looseObject({ type: z.string().nullish(), kind: z.string().nullish() }).parse(resource.spec);
    const given = SELECTABLE.flatMap((key) => {
      const value = spec[key];
      return typeof value === 'string' && value !== '' ? [[key, value] as const] : [];
    });
    // Talos: physical is an ethernet link without a kind (bond, vlan, bridge and so on have one).
    const physical = spec.type === 'ether' && (spec.kind ?? '') === '';
    return { name: resource.id, facts: { ...Object.fromEntries(given), physical } };
  });

async function observeEtcd(talos: TalosClient, read: Read): Promise<EtcdObservation> {
  const [members, status, alarms] = await Promise.all([
    read('etcd members', (signal) => talos.etcdMembers(signal)),
    read('etcd status', (signal) => talos.etcdStatus(signal)),
    read('etcd alarms', (signal) => talos.etcdAlarms(signal)),
  ]);
  return { members, status, alarms };
}

/** What the API server at an address serves and says: by a real handshake and a real `/readyz`. */
export async function observeApi(
  systems: Systems,
  address: string,
  port: number,
  look: Look,
): Promise<{ certificate: Fact<ServedCertificate>; apiReady: NonNullable<NodeObservation['apiReady']> }> {
  look.signal?.throwIfAborted();
  const source = `${address}:${port}`;
  const { ca } = systems.kubeContext;
  const [shaken, answered] = await Promise.all([
    systems.handshake(address, port, { ca, timeoutMs: TIMEOUTS.probeMs }),
    systems.ready({ ...systems.kubeContext, server: endpointUrl(address, port), tlsServerName: undefined }, '/readyz', {
      timeoutMs: TIMEOUTS.probeMs,
    }),
  ]);
  const at = look.clock.wall().toISOString();
  return { certificate: servedCertificate(shaken, source, at), apiReady: known(answered, `/readyz at ${source}`, at) };
}

export function servedCertificate(shaken: HandshakeResult, source: string, at: string): Fact<ServedCertificate> {
  if (shaken.kind === 'failed') return unknown(`${shaken.reason}: ${shaken.message}`, `TLS at ${source}`);
  const { serial, dnsNames, ipAddresses, notAfter, trusted, problem } = shaken;
  const names = [...dnsNames, ...ipAddresses];
  return known(
    { serial, names, notAfter: notAfter.toISOString(), trusted, ...(problem === undefined ? {} : { problem }) },
    `TLS at ${source}`,
    at,
  );
}

function silent(identity: NodeIdentity, why: Extract<Fact<never>, { kind: 'unknown' }>): NodeObservation {
  const plane = identity.role !== 'worker';
  const { clock: _, ...known } = identity;
  return {
    ...known,
    talosVersion: why,
    config: why,
    persistentSha256: why,
    links: why,
    linkFacts: why,
    stage: why,
    services: why,
    etcd: plane ? { members: why, status: why, alarms: why } : undefined,
    certificate: plane ? why : undefined,
    apiReady: plane ? why : undefined,
  };
}
