import type { FaultRule, ParameterRule } from '../types.ts';

const DURATION: ParameterRule = {
  name: 'duration',
  form: 'duration',
  brief: 'how long it lasts (default: until cleared)',
};
const NODE: ParameterRule = { name: 'node', form: 'node', brief: 'name of a node', required: true };
const PLANE: ParameterRule = { ...NODE, brief: 'name of a control plane' };
const ADDRESS: ParameterRule = {
  name: 'address',
  form: 'address',
  brief: 'floating IP, by address, id or name (default: the only one)',
};
const delay = (brief: string, value: number): ParameterRule => ({
  name: 'delay',
  form: 'duration',
  brief,
  default: value,
});
const PATCH: ParameterRule = {
  name: 'patch',
  form: 'text',
  brief: 'patch of the machine config, as talosctl takes it (@FILE reads one)',
  default: 'machine: {sysctls: {net.core.somaxconn: "65535"}}',
};
const of =
  (system: FaultRule['system']) =>
  (kind: string, brief: string, ...parameters: readonly ParameterRule[]): FaultRule => ({
    kind,
    system,
    brief,
    parameters: [...parameters, DURATION],
  });
const server = of('API server');
const etcd = of('etcd');
const machine = of('machine');
const address = of('address on nodes');
const config = of('machine config');

/** Faults of nodes. What a reboot ends in life, it ends here too, unless the brief says otherwise. */
export const NODE_CATALOGUE: readonly FaultRule[] = [
  server('apiserver-hung', 'it accepts connections and says nothing, as after SIGSTOP; restarts do not help', PLANE),
  server('apiserver-crash-loop', 'it ends whenever it has started', PLANE),
  server(
    'apiserver-slow',
    'it stands still again and again: whatever it does comes late',
    delay('how long it stands still each time', 800),
    PLANE,
  ),
  server('apiserver-not-ready', '/readyz fails (etcd-readiness) while /livez is fine; it is started anew', PLANE),
  server('certificate-expired', 'its serving certificate has ended', PLANE),
  server('certificate-foreign', 'its serving certificate is of another authority', PLANE),
  server('certificate-names', 'its serving certificate lacks names', PLANE, {
    name: 'san',
    form: 'text',
    brief: "the name or address (default: the endpoint's host and every floating IP)",
  }),
  etcd('etcd-stopped', 'the service is stopped in an orderly way', PLANE),
  etcd('etcd-hung', 'the member accepts connections and says nothing, as after SIGSTOP', PLANE),
  etcd('etcd-quorum-lost', 'so many members are stopped that the others are no quorum', {
    name: 'node',
    form: 'node',
    brief: 'a control plane whose member keeps running (default: the first)',
  }),
  etcd('etcd-alarm', 'a member has raised an alarm; with NOSPACE every write is refused', PLANE, {
    name: 'alarm',
    form: 'text',
    brief: 'which',
    values: ['NOSPACE', 'CORRUPT'],
    default: 'NOSPACE',
  }),
  etcd('etcd-learner', 'a member was added as a learner and never came up; no other can join'),
  etcd('etcd-member-removed', 'somebody removed the member; clearing it lets the node join anew', PLANE),
  etcd(
    'etcd-slow-disk',
    'the member waits for its disk again and again',
    delay('how long it waits each time; from about 1 s on, others elect another leader', 300),
    PLANE,
  ),
  machine('power-lost', "the cord is pulled behind the cloud's back: its record says running", NODE),
  machine('kernel-hung', 'the machine is silent on all ports, and not without power; a reset ends it', NODE),
  machine('node-reboot', 'the machine reboots, once', NODE, {
    name: 'how',
    form: 'text',
    brief: 'orderly hands the address over, forced does not',
    values: ['orderly', 'forced'],
    default: 'orderly',
  }),
  machine('clock-skew', "the machine's clock is off (of real processes only what Talos tells them)", NODE, {
    name: 'skew',
    form: 'offset',
    brief: 'how far ahead, as 2h; behind, as -5m',
    required: true,
  }),
  machine('link-names', 'its links have other names since a reboot, which this does', NODE, {
    name: 'names',
    form: 'text',
    brief: 'the public one, then the private one',
    default: 'eth0,eth1',
  }),
  machine('hostname-twice', 'it calls itself as another node does since a reboot, which this does', NODE, {
    name: 'as',
    form: 'node',
    brief: 'the other (default: the first of the same role)',
  }),
  machine('apid-down', 'the Talos API has ended: 50000 refuses', NODE),
  machine('kubelet-down', 'the kubelet has ended: no heartbeats, no pod statuses; pods run on', NODE),
  machine('firewall-lost', "the machine's own firewall has lost its table: everything passes", NODE),
  address(
    'address-claimed',
    'who has the address on a link, whatever record and election say',
    {
      name: 'by',
      form: 'text',
      brief: 'nobody; its holder and another; or another than the one it is assigned to',
      values: ['nobody', 'two', 'another'],
      required: true,
    },
    { name: 'node', form: 'node', brief: 'the other (default: a control plane that has it not)' },
    ADDRESS,
  ),
  address(
    'vip-leaked',
    'a node takes the shared address for its own',
    {
      name: 'into',
      form: 'text',
      brief: "the kubelet's node IP, or the peer URL of its etcd member",
      values: ['node-addresses', 'etcd-peers'],
      required: true,
    },
    { name: 'node', form: 'node', brief: 'which (default: the one that has it)' },
    ADDRESS,
  ),
  address('vip-both-forms', 'the VIP stands in the legacy and the document form on every control plane'),
  config('config-changed', 'somebody has applied a patch, on disk and in force', NODE, PATCH),
  config(
    'config-try',
    'a patch is being tried: it is in force, not on disk, and goes by itself',
    NODE,
    { name: 'timeout', form: 'duration', brief: 'until it goes', default: 3_600_000 },
    PATCH,
  ),
  config('config-staged', 'a patch is on disk and comes into force with the next reboot', NODE, PATCH),
  config('config-unsaved', 'a patch is in force and not on disk, and no try is under way', NODE, PATCH),
];
