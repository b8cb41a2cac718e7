import { nodeIdOf, type Machine } from '../machine.ts';
import { specYaml, type Resource } from './resource.ts';

/** Members as discovery knows them (a shared IP is among the holder's addresses), and etcd as Talos runs it. */
export function clusterResources(machine: Machine): Resource[] {
  const { facts, ports, active } = machine;
  const own = {
    name: facts.hostname,
    role: machine.role,
    addresses: [facts.publicIPv4, facts.privateIPv4, ...machine.claims.keys()],
    privateIPv4: facts.privateIPv4,
  };
  const members = [own, ...ports.peers()].map((member): Resource => ({
    namespace: 'cluster',
    type: 'Members.cluster.talos.dev',
    id: member.name,
    owner: 'cluster.MemberController',
    yaml: specYaml({
      nodeId: nodeIdOf(member.name, member.privateIPv4),
      addresses: member.addresses,
      hostname: member.name,
      machineType: member.role === 'control-plane' ? 'controlplane' : 'worker',
      operatingSystem: `Talos (${ports.version})`,
      ...(member.role === 'control-plane' ? { controlPlane: { port: 6443 } } : {}),
    }),
  }));
  const etcd = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'etcd',
    type: `${type}.etcd.talos.dev`,
    id,
    owner: `etcd.${owner}`,
    yaml: specYaml(spec),
  });
  const advertised = active?.derived.etcdAdvertised ?? [];
  return [
    ...members,
    {
      namespace: 'cluster',
      type: 'Identities.cluster.talos.dev',
      id: 'local',
      owner: 'cluster.NodeIdentityController',
      yaml: specYaml({ nodeId: machine.nodeId }),
    },
    ...(machine.role === 'control-plane' && advertised.length > 0
      ? [
          etcd('EtcdSpecs', 'etcd', 'SpecController', {
            name: facts.hostname,
            advertisedAddresses: advertised,
            listenPeerAddresses: ['0.0.0.0'],
            listenClientAddresses: ['0.0.0.0'],
          }),
        ]
      : []),
    ...(machine.etcdMemberId === undefined
      ? []
      : [
          etcd('EtcdMembers', 'local', 'MemberController', {
            memberID: machine.etcdMemberId.toString(16).padStart(16, '0'),
          }),
        ]),
  ];
}
