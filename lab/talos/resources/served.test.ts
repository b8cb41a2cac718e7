import { Code } from '@connectrpc/connect';
import { afterEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../../src/base/clock.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { EventType, LabelTerm_Operation, type Event } from '../../../src/generated/cosi/state_pb.ts';
import { startSmallWorld, type SmallWorld, type TalosCalls, type WorldNode } from '../testing/small-world.ts';
import { registryOf } from './definitions.ts';

const VERSIONS = ['v1.11.6', 'v1.12.11', 'v1.13.9', 'v1.14.0-rc.1'] as const;
/** What a node has to show of itself, whatever its release. */
const ALWAYS = [
  'config/MachineConfigs.config.talos.dev/v1alpha1',
  'config/MachineConfigs.config.talos.dev/persistent',
  'runtime/MachineStatuses.runtime.talos.dev/machine',
  'runtime/VolumeStatuses.block.talos.dev/EPHEMERAL',
  'cluster/Members.cluster.talos.dev/cp-1',
  'cluster/Infos.cluster.talos.dev/current',
  'network/HostnameStatuses.net.talos.dev/hostname',
  'network/LinkStatuses.net.talos.dev/enp1s0',
  'network/NodeAddresses.net.talos.dev/routed',
  'network/OperatorSpecs.net.talos.dev/dhcp4/enp7s0',
  'network-config/OperatorSpecs.net.talos.dev/default/dhcp4/enp7s0',
  'k8s/Nodenames.kubernetes.talos.dev/nodename',
  'k8s/NodeIPs.kubernetes.talos.dev/kubelet',
  'k8s/KubeletSpecs.kubernetes.talos.dev/kubelet',
  'k8s/StaticPods.kubernetes.talos.dev/kube-apiserver',
  'k8s/StaticPodStatuses.kubernetes.talos.dev/kube-system/kube-apiserver-cp-1',
  'controlplane/APIServerConfigs.kubernetes.talos.dev/kube-apiserver',
  'controlplane/BootstrapManifestsConfigs.kubernetes.talos.dev/manifests',
  'etcd/EtcdSpecs.etcd.talos.dev/etcd',
  'etcd/EtcdMembers.etcd.talos.dev/local',
  'secrets/CertSANs.secrets.talos.dev/api',
  'secrets/CertSANs.secrets.talos.dev/k8s',
  'secrets/OSRootSecrets.secrets.talos.dev/os',
];

let world: SmallWorld | undefined;
const open: TalosCalls[] = [];
afterEach(async () => {
  for (const calls of open.splice(0)) calls.close();
  await world?.close();
});

const begin = async (version: (typeof VERSIONS)[number]): Promise<{ cp: WorldNode; calls: TalosCalls }> => {
  world = await startSmallWorld({ version, speed: 30 });
  const cp = await world.add('cp-1', 'control-plane', 'founding');
  await world.ready(cp);
  const calls = await world.call(cp);
  open.push(calls);
  return { cp, calls };
};

const MEMBERS = { namespace: 'cluster', type: 'Members.cluster.talos.dev' };

describe.each(VERSIONS)('the resources of a node with Talos %s', (version) => {
  it('are listed for every type it tells of, in both forms, and only of such types', async () => {
    const { calls } = await begin(version);
    const seen: string[] = [];
    const definitions = { namespace: 'meta', type: 'ResourceDefinitions.meta.cosi.dev' };
    for await (const { resource } of calls.state.list(definitions)) {
      const { type, defaultNamespace } = parse(resource?.spec?.yamlSpec ?? '') as Record<string, string>;
      for (const namespace of defaultNamespace === 'network'
        ? ['network', 'network-config']
        : [defaultNamespace ?? '']) {
        for await (const found of calls.state.list({ namespace, type: type ?? '' })) {
          const { metadata, spec } = found.resource ?? {};
          const key = `${namespace}/${type}/${metadata?.id}`;
          seen.push(key);
          expect(spec?.yamlSpec, key).not.toBe('');
          expect(parse(spec?.yamlSpec ?? ''), key).not.toBeNull();
          expect(spec?.protoSpec.length, key).toBeGreaterThan(0);
          expect(metadata?.version, key).toMatch(/^\d+$/);
        }
      }
    }
    expect(ALWAYS.filter((key) => !seen.includes(key))).toEqual([]);
    expect(registryOf(version).resources.length).toBeGreaterThan(170);
  });
});

describe('the state API of a node', () => {
  it('refuses in Talos’ order and words: unknown type, role, unknown namespace, absent id', async () => {
    const { cp, calls } = await begin('v1.13.9');
    const reader = await world?.call(cp, ['os:reader']);
    if (reader === undefined) throw new Error('no world');
    open.push(reader);
    const get = (by: TalosCalls, namespace: string, type: string, id = 'x') => by.state.get({ namespace, type, id });
    const secret = 'MachineConfigs.config.talos.dev';
    await expect(get(calls, 'nowhere', 'Nonsense.talos.dev')).rejects.toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: 'resource type "Nonsense.talos.dev" is not supported',
    });
    await expect(get(reader, 'nowhere', secret)).rejects.toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: 'not authorized',
    });
    await expect(get(calls, 'nowhere', secret)).rejects.toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: 'namespace "nowhere" is not supported',
    });
    await expect(get(reader, 'cluster', MEMBERS.type, 'nope')).rejects.toMatchObject({
      code: Code.NotFound,
      rawMessage: "resource Members.cluster.talos.dev(cluster/nope@undefined) doesn't exist",
    });
  });

  it('filters a list by id and by label', async () => {
    const { calls } = await begin('v1.13.9');
    const ids = async (options: NonNullable<Parameters<typeof calls.state.list>[0]['options']>) => {
      const found: string[] = [];
      const links = { namespace: 'network', type: 'LinkStatuses.net.talos.dev' };
      for await (const { resource } of calls.state.list({ ...links, options }))
        found.push(resource?.metadata?.id ?? '');
      return found;
    };
    expect(await ids({ idQuery: { regexp: '^enp' } })).toEqual(['enp1s0', 'enp7s0']);
    expect(await ids({ labelQuery: [{ terms: [{ key: 'a', op: LabelTerm_Operation.EXISTS }] }] })).toEqual([]);
    expect(await ids({ labelQuery: [{ terms: [{ key: 'a', op: LabelTerm_Operation.NOT_EXISTS }] }] })).toHaveLength(3);
    await expect(ids({ idQuery: { regexp: '(' } })).rejects.toMatchObject({ code: Code.InvalidArgument });
  });

  it('watches: an empty message first, what is there, its end, and every change as it happens', async () => {
    const { cp, calls } = await begin('v1.13.9');
    const end = new AbortController();
    const messages: Event[][] = [];
    const status = { namespace: 'runtime', type: 'MachineStatuses.runtime.talos.dev' };
    const watch = (async () => {
      const options = { bootstrapContents: true };
      const stream = calls.state.watch({ ...status, options, apiVersion: 1 }, { signal: end.signal });
      for await (const { event } of stream) messages.push(event);
    })().catch(() => {});
    const reached = (count: number) =>
      waitFor(systemClock, { everyMs: 10, timeoutMs: 5_000 }, async () => messages.length >= count || undefined);
    await reached(3);
    expect(messages.map((events) => events.map((event) => event.eventType))).toEqual([
      [],
      [EventType.CREATED],
      [EventType.BOOTSTRAPPED],
    ]);
    void cp.node.shutdown();
    await reached(4);
    const [update] = messages[3] ?? [];
    expect(update?.eventType).toBe(EventType.UPDATED);
    expect(update?.old?.spec?.yamlSpec).toContain('stage: running');
    expect(update?.resource?.spec?.yamlSpec).toContain('stage: shuttingDown');
    end.abort();
    await watch;
  });

  it('watches one id: what is there as created, what is not as destroyed; contents are for kinds', async () => {
    const { calls } = await begin('v1.13.9');
    const first = async (id: string): Promise<Event | undefined> => {
      const end = new AbortController();
      for await (const { event } of calls.state.watch({ ...MEMBERS, id }, { signal: end.signal })) {
        if (event.length === 0) continue;
        end.abort();
        return event[0];
      }
      return undefined;
    };
    expect((await first('cp-1'))?.eventType).toBe(EventType.CREATED);
    const absent = await first('nope');
    expect(absent?.eventType).toBe(EventType.DESTROYED);
    expect(absent?.resource?.metadata?.version).toBe('undefined');
    const stream = calls.state.watch({ ...MEMBERS, id: 'cp-1', options: { bootstrapContents: true } });
    await expect(
      (async () => {
        for await (const _ of stream);
      })(),
    ).rejects.toMatchObject({ code: Code.Unimplemented });
  });
});
