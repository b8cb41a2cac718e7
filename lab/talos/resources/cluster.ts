import { minorOf } from '../config/settings.ts';
import { argumentsAt, textAt, textsAt } from '../config/access.ts';
import { nodeIdOf, type Machine } from '../machine.ts';
import type { Resource } from './resource.ts';
import { settingsOf } from './settings.ts';

/** Members as discovery knows them (a shared IP is among the holder's addresses), and etcd as Talos runs it. */
export function clusterResources(machine: Machine): Resource[] {
  const { facts, ports, active } = machine;
  if (active === undefined) return [];
  const settings = settingsOf(machine);
  const cluster = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'cluster',
    type: `${type}.cluster.talos.dev`,
    id,
    owner: `cluster.${owner}`,
    spec,
  });
  const own = {
    name: facts.hostname,
    role: machine.role,
    addresses: [
      facts.publicIPv4,
      facts.privateIPv4,
      ...(facts.publicIPv6 === undefined ? [] : [facts.publicIPv6]),
      ...machine.claims.keys(),
    ],
    privateIPv4: facts.privateIPv4,
  };
  const members = [own, ...ports.peers()].flatMap((member): Resource[] => {
    const nodeId = nodeIdOf(member.name, member.privateIPv4);
    const plane = member.role === 'control-plane';
    const first = { nodeId, addresses: member.addresses, hostname: member.name };
    const machineType = plane ? 'controlplane' : 'worker';
    const operatingSystem = `Talos (${ports.version})`;
    const last = plane ? { controlPlane: { port: settings?.apiServer.port ?? 6443 } } : {};
    const affiliate = { ...first, nodename: member.name, operatingSystem, machineType, ...last };
    return [
      cluster('Members', member.name, 'MemberController', { ...first, machineType, operatingSystem, ...last }),
      cluster('Affiliates', nodeId, 'AffiliateMergeController', affiliate),
    ];
  });
  return [
    ...members,
    cluster('Identities', 'local', 'NodeIdentityController', { nodeId: machine.nodeId }),
    cluster('Infos', 'current', 'InfoController', {
      clusterId: textAt(settings?.legacy, 'cluster', 'id') ?? '',
      clusterName: active.derived.clusterName,
    }),
    ...(machine.role === 'control-plane' ? etcdResources(machine, active.derived.etcdAdvertised) : []),
  ];
}

function etcdResources(machine: Machine, advertised: readonly string[]): Resource[] {
  const settings = settingsOf(machine);
  const etcd = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'etcd',
    type: `${type}.etcd.talos.dev`,
    id,
    owner: `etcd.${owner}`,
    spec,
  });
  const image = textAt(settings?.legacy, 'cluster', 'etcd', 'image') ?? DEFAULT_IMAGE;
  const given = argumentsAt(settings?.legacy, 'cluster', 'etcd', 'extraArgs');
  const extraArgs = Object.fromEntries(
    Object.entries(given).map(([name, values]) => [name, shownArgument(machine, values)]),
  );
  const { claims, role, etcdMemberId } = machine;
  const valid = textsAt(settings?.legacy, 'cluster', 'etcd', 'advertisedSubnets');
  const listen = settings?.etcd.listen ?? [];
  return role === 'worker' || advertised.length === 0
    ? []
    : [
        etcd('EtcdConfigs', 'etcd', 'ConfigController', {
          ...(valid.length > 0 ? { advertiseValidSubnets: valid } : {}),
          advertiseExcludeSubnets: [...claims.keys()],
          ...(listen.length > 0 ? { listenValidSubnets: listen } : {}),
          listenExcludeSubnets: [],
          image,
          extraArgs,
        }),
        etcd('EtcdSpecs', 'etcd', 'SpecController', {
          name: machine.facts.hostname,
          advertisedAddresses: advertised,
          listenPeerAddresses: ['0.0.0.0'],
          listenClientAddresses: ['0.0.0.0'],
          image,
          extraArgs,
        }),
        etcd('PKIStatuses', 'etcd', 'PKIController', { ready: true, version: '1' }),
        ...(etcdMemberId === undefined
          ? []
          : [
              etcd('EtcdMembers', 'local', 'MemberController', {
                memberID: etcdMemberId.toString(16).padStart(16, '0'),
              }),
            ]),
      ];
}

/** From 1.13 on an argument may have several values. */
export const shownArgument = (machine: Machine, values: readonly string[]): unknown =>
  minorOf(machine.ports.version) < 13 ? values.join(',') : { values };

/** Talos' own where the config names none (guess of the release). */
const DEFAULT_IMAGE = 'registry.k8s.io/etcd:v3.6.4';
