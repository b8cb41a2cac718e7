import { createAuthority, issue } from '../../../lab/pki/pki.ts';
import { fromBase64, fromTalosPair } from '../../../lab/pki/keys.ts';
import type { KeyPair } from '../../../lab/pki/types.ts';
import { baseConfig } from '../../../lab/provisioner/base-config.ts';
import { DEFAULT_KUBERNETES } from '../../../lab/provisioner/types.ts';
import { startSmallWorld, type SmallWorld, type WorldNode } from '../../../lab/talos/testing/small-world.ts';
import type { TalosVersion } from '../../../lab/talos/types.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { readCluster } from './cluster-secrets.ts';
import type { Translator } from './translate.ts';
import type { Identity } from './wire.ts';

/** What the recordings' README tells of their world, for all clients alike. */
export const RECORDED = {
  controlPlanes: [
    { name: 'cp-1', address: '127.0.9.1', memberId: 10276657743932975437n },
    { name: 'cp-2', address: '127.0.9.2', memberId: 3299630725571204545n },
    { name: 'cp-3', address: '127.0.9.3', memberId: 17400955695148973636n },
  ],
  worker: { name: 'worker-1', address: '127.0.9.11' },
  maintenance: '127.0.9.21',
  dead: '127.0.9.99',
  endpoint: '127.0.9.100',
} as const;

/** talosctl 1.11 was run against the world of 1.12. */
export const VERSION_OF: Readonly<Record<string, TalosVersion>> = {
  '1.11': 'v1.12.11',
  '1.12': 'v1.12.11',
  '1.13': 'v1.13.9',
  '1.14': 'v1.14.0-rc.1',
};

const ADDRESS = /\b127\.0\.9\.\d{1,3}\b/g;
const YEAR_MS = 365 * 24 * 3_600_000;
const SPEED = 20;
const READY_MS = 120_000;

export interface ReplayWorld {
  readonly names: Translator;
  readonly version: TalosVersion;
  addressOf(recorded: string): string;
  identity(file: string, roles: readonly string[], how: 'with a certificate' | 'without one'): Promise<Identity>;
  /** Resolves when every machine is well; `false` when one is not within its time. */
  settle(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * The recorded 1.14 cluster names its API server's certificate names in the v1alpha1 document although it has a
 * KubeAPIServerConfig too. The recorder's stand-in took that; Talos 1.14 refuses it ("already set in v1alpha1 config"), and
 * so does the lab. The names are moved to where 1.14 wants them, in the world's config and in every one applied to it.
 */
export function asTalosTakesIt(config: string): string {
  const legacy = /^ {4}apiServer:\n {8}certSANs:\n((?: {12}- .*\n)+)/m;
  const document = /^kind: KubeAPIServerConfig\n(?:image: .*\n)?/m;
  const names = legacy.exec(config)?.[1];
  if (names === undefined || !document.test(config)) return config;
  return config
    .replace(legacy, '')
    .replace(document, (found) => `${found}certExtraSANs:\n${names.replaceAll(/^ {12}/gm, '    ')}`);
}

/**
 * talosctl 1.11 does not know that a node tells its config as a YAML string: what it gives its editor, and applies then, is
 * that string, as one. The recorder's stand-in took it; Talos refuses a config that is a text. The config in it is sent.
 */
export function asConfig(text: string): string {
  if (!/^\|[-+]?\n +version: v1alpha1\n/.test(text)) return text;
  const lines = text.slice(text.indexOf('\n') + 1).split('\n');
  const indent = /^ */.exec(lines[0] ?? '')?.[0] ?? '';
  return lines.map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line)).join('\n');
}

/** A lab set up like the recorded world: the same cluster config, secrets and names, other addresses. */
export async function startReplayWorld(version: TalosVersion, config: string): Promise<ReplayWorld> {
  const world = await startSmallWorld({ version, speed: SPEED });
  try {
    return await furnish(world, version, config);
  } catch (error) {
    await world.close();
    throw error;
  }
}

async function furnish(world: SmallWorld, version: TalosVersion, config: string): Promise<ReplayWorld> {
  const addresses = new Map<string, string>();
  const dead = world.fabric.addHost('dead');
  for (const [recorded, purpose] of [
    [RECORDED.endpoint, 'floating'],
    [RECORDED.dead, 'public'],
  ] as const) {
    addresses.set(recorded, world.fabric.allocate(purpose));
  }
  const text = (value: string): string => value.replaceAll(ADDRESS, (found) => addresses.get(found) ?? found);
  await dead.setCondition('refusing');
  await lead(world, text(RECORDED.dead), dead);

  const own = asTalosTakesIt(text(config));
  const { secrets, endpoint } = readCluster(own);
  const cluster = { name: 'harbour', endpoint, talosVersion: version, kubernetesVersion: DEFAULT_KUBERNETES[version] };
  const planes = await world.found(
    RECORDED.controlPlanes.map(({ name }) => name),
    own,
  );
  for (const [n, node] of planes.entries()) {
    const recorded = RECORDED.controlPlanes[n];
    if (recorded !== undefined) addresses.set(recorded.address, node.server.publicIPv4);
  }
  const [first] = planes;
  if (first !== undefined) await lead(world, text(RECORDED.endpoint), first.host);
  for (const node of planes) await world.ready(node, READY_MS);
  const worker = await world.add(RECORDED.worker.name, 'worker', { kind: 'join' }, baseConfig(secrets, cluster, 'worker'));
  addresses.set(RECORDED.worker.address, worker.server.publicIPv4);
  // Machines that have been upgraded once have a release to go back to.
  for (const { node } of [...planes, worker]) node.inside.machine.releases.previous = version;
  // Without a config the machine waits to be given one.
  const idle = await world.add('waiting', 'control-plane', { kind: 'join' }, '');
  addresses.set(RECORDED.maintenance, idle.server.publicIPv4);

  const members = new Map<bigint, bigint>();
  const settle = async (): Promise<boolean> => {
    for (const node of [...planes, worker]) {
      const ready = await waitFor(systemClock, { everyMs: 20, timeoutMs: READY_MS }, async () =>
        node.node.info().ready ? true : undefined,
      );
      if (ready === undefined) return false;
    }
    for (const [n, node] of planes.entries()) {
      const recorded = RECORDED.controlPlanes[n];
      const id = node.node.info().etcd?.memberId;
      if (recorded !== undefined && id !== undefined) members.set(recorded.memberId, BigInt(`0x${id}`));
    }
    return true;
  };
  if (!(await settle())) throw new Error(`the lab did not become ready\n${logsOf([...planes, worker])}`);

  const identities = identitiesOf(fromTalosPair(secrets.certs.os));
  return {
    version,
    names: {
      // The recorded machines' first link is named in the old way.
      text: (value) => (value === 'eth0' ? 'enp1s0' : asTalosTakesIt(asConfig(text(value)))),
      number: (field, value) => (field === 'member_id' ? (members.get(value) ?? value) : value),
    },
    addressOf(recorded) {
      const found = addresses.get(recorded);
      if (found === undefined) throw new Error(`the recorded world has no ${recorded}`);
      return found;
    },
    identity: async (file, roles, how) =>
      how === 'without one'
        ? { ca: undefined }
        : { ...(await identities(file, roles)), ca: file === 'wrongserverca' ? await strangersCA() : fromBase64(secrets.certs.os.crt) },
    settle,
    close: () => world.close(),
  };
}

const logsOf = (nodes: readonly WorldNode[]): string =>
  nodes.map(({ server, log, node }) => `${server.name} (${node.info().stage})\n${log.slice(-8).join('\n')}`).join('\n');

async function lead(world: SmallWorld, address: string, host: WorldNode['host']): Promise<void> {
  await host.claim(address);
  await world.fabric.route(address, host);
}

/** Another cluster's authority: its subject is the same as that of every Talos cluster. */
const stranger = (): Promise<KeyPair> =>
  createAuthority('ed25519', {
    organization: 'talos',
    notBefore: new Date(Date.now() - YEAR_MS),
    notAfter: new Date(Date.now() + YEAR_MS),
  });

const strangersCA = async (): Promise<string> => (await stranger()).cert;

/** Client certificates as the recordings' talosconfig files have them, made once each. */
function identitiesOf(authority: KeyPair): (file: string, roles: readonly string[]) => Promise<KeyPair> {
  const made = new Map<string, Promise<KeyPair>>();
  const make = async (file: string, roles: readonly string[]): Promise<KeyPair> => {
    const now = Date.now();
    const [from, to] =
      file === 'expired' ? [-2, -1] : file === 'notyet' ? [1, 2] : ([-1, 1] as const);
    return issue(file === 'wrongca' ? await stranger() : authority, {
      commonName: '',
      organizations: roles,
      usages: ['clientAuth'],
      notBefore: new Date(now + from * YEAR_MS),
      notAfter: new Date(now + to * YEAR_MS),
    });
  };
  return (file, roles) => {
    const key = `${file} ${roles.join(',')}`;
    const found = made.get(key) ?? make(file, roles);
    made.set(key, found);
    return found;
  };
}
