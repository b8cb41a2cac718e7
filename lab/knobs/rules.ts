import type { KnobRule } from './types.ts';

const DELAY = 'ms, divided by the speed';
const REPORTS = "users' reports; Hetzner names no figure";
const DOCUMENTED = "Hetzner's documentation; raised on request";
const UNSAID = "Hetzner's documentation does not say";
const TALOS = "Talos' source";

const known = (name: string, brief: string, unit: string, source: string): KnobRule => ({
  name,
  brief,
  unit,
  guess: false,
  source,
});
const guessed = (
  name: string,
  brief: string,
  unit: string,
  source: string,
  choices?: KnobRule['choices'],
): KnobRule => ({ name, brief, unit, guess: true, source, ...(choices === undefined ? {} : { choices }) });
const delay = (name: string, brief: string): KnobRule =>
  guessed(`cloud.delays.${name}`, `from the POST until ${brief}`, DELAY, REPORTS);
const quota = (name: string, brief: string, source: string = DOCUMENTED): KnobRule =>
  source === DOCUMENTED
    ? known(`cloud.quotas.${name}`, brief, 'count', source)
    : guessed(`cloud.quotas.${name}`, brief, 'count', source);
const readOnlyWrite = (era: string, source: string, guess: boolean): KnobRule => ({
  ...known(`cloud.readOnlyWrite.${era}`, `a write with a read-only token, in era ${era}`, 'status and code', source),
  guess,
});

/** Every knob of the lab. The defaults stand where they are used; this says what each is and how sure we are of it. */
export const KNOB_RULES: readonly KnobRule[] = [
  delay('assign', 'an address is assigned and led to its server'),
  delay('unassign', 'an address leads nowhere'),
  delay('createServer', 'a server exists and boots'),
  delay('startServer', 'a new server has started'),
  delay('deleteServer', 'a server is gone'),
  delay('power', 'power on, off, reboot or reset has happened'),
  delay('network', 'a server is in a network, or out of it'),
  delay('setting', 'protection, a name or reverse DNS has changed'),
  delay('createImage', 'an image is made'),
  delay('createLoadBalancer', 'a load balancer exists'),
  delay('loadBalancer', 'a target, a service or a setting of one has changed'),
  delay('firewall', 'rules are in force'),
  delay('zone', 'a zone or a record set has changed'),
  guessed('cloud.delays.labelSelector', 'how long label selectors take to follow labels', DELAY, '"within seconds"'),
  quota('servers', 'servers of a project'),
  quota('floatingIPs', 'floating IPs of a project'),
  quota('floatingIPsPerServer', 'floating IPs of a server'),
  quota('primaryIPs', 'Primary IPs of a project', UNSAID),
  quota('networks', 'networks of a project', UNSAID),
  quota('loadBalancers', 'load balancers of a project'),
  quota('firewalls', 'firewalls of a project'),
  quota('firewallsPerServer', 'firewalls of a server'),
  quota('rulesPerFirewall', 'rules of a firewall'),
  quota('placementGroups', 'placement groups of a project'),
  quota('serversPerPlacementGroup', 'servers of a placement group'),
  quota('certificates', 'certificates of a project', UNSAID),
  quota('sshKeys', 'SSH keys of a project', UNSAID),
  quota('zones', 'zones of a project'),
  quota('recordsPerZone', 'records of a zone'),
  known(
    'cloud.rateLimit.capacity',
    'requests in the bucket of a project',
    'count',
    'documented; some projects say 7200',
  ),
  known('cloud.rateLimit.refillPerSecond', 'requests that come back', 'per second', "Hetzner's documentation"),
  guessed(
    'cloud.assignToHolder',
    'assigning an address to the server that has it',
    'answer',
    '`floating_ip_assigned` is documented, but not when it is said',
    ['ok', 'floating_ip_assigned'],
  ),
  guessed('cloud.assignLocksServer', 'a running assign locks the server too', 'true or false', UNSAID),
  guessed(
    'cloud.unassignUnassigned',
    'unassigning an address that is nowhere',
    'status and code',
    'documented as an error without a code of its own',
  ),
  guessed('cloud.crossZone', 'assigning across network zones', 'status and code', UNSAID),
  guessed('cloud.noPrimaryIP', 'assigning to a server without a public address', 'status and code', UNSAID),
  guessed(
    'cloud.robotAddresses',
    'which addresses are dedicated servers of the account, for targets of type ip',
    'any, or addresses',
    'a choice of the lab: it has no such servers',
  ),
  guessed('cloud.healthCheckLimits.interval', 'longest interval of a health check', 'seconds', UNSAID),
  guessed('cloud.healthCheckLimits.timeout', 'longest time-out of a health check', 'seconds', UNSAID),
  guessed('cloud.healthCheckLimits.retries', 'most retries of a health check', 'count', UNSAID),
  guessed(
    'cloud.selectorSkipsUnattached',
    "a label selector passes over servers outside the balancer's network",
    'true or false',
    UNSAID,
  ),
  guessed(
    'cloud.addRecordsTTL',
    'add_records with another TTL than the record set has',
    'answer',
    'said to have to match; how it is refused is not said',
    ['refuse', 'keep'],
  ),
  guessed(
    'cloud.incompleteZonefile',
    'a zone file without SOA or name servers, or of another origin',
    'answer',
    'the rules ask for all three; real clients send less',
    ['complete', 'refuse'],
  ),
  guessed(
    'cloud.delegationStatus',
    'what a zone says of its delegation',
    'state',
    'a choice of the lab: it has no registry to ask',
    ['valid', 'partially-valid', 'invalid', 'lame', 'unregistered', 'unknown'],
  ),
  readOnlyWrite('2025', 'seen by clients', false),
  readOnlyWrite('until-2026-09', 'seen by clients', false),
  readOnlyWrite('from-2026-10', 'the code is announced, the status is not', true),
  guessed('cloud.perPageAboveLimit', '`per_page` above the limit', 'answer', UNSAID, ['refuse', 'cut']),
  guessed(
    'cloud.transitionalStatus',
    'a server shows starting and stopping while such an action runs',
    'true or false',
    UNSAID,
  ),
  guessed('cloud.changeOfSystemImage', "changing or deleting one of Hetzner's own images", 'status and code', UNSAID),
  guessed('cloud.backupWithoutWindow', 'a backup of a server that has none enabled', 'status and code', UNSAID),
  guessed('cloud.resetPassword', 'setting a password on a machine without an agent, as Talos is', 'choice', UNSAID, [
    'succeeds',
    'fails',
  ]),
  guessed('cloud.powerThereAlready', 'switching on what is on, or off what is off', 'outcome of the action', UNSAID, [
    'succeeds',
    'fails',
  ]),
  guessed('cloud.firewallLocksServer', 'applying a firewall locks the server meanwhile', 'true or false', UNSAID),
  guessed('cloud.zoneLocks', 'a change of a zone keeps others from it meanwhile', 'true or false', UNSAID),
  guessed('cloud.placementGroupWithServers', 'deleting a placement group that has servers', 'outcome', UNSAID, [
    'leave',
    'refuse',
  ]),
  guessed('cloud.defaultTimeoutIdle', '`timeout_idle` of an http service that names none', 'seconds', UNSAID),
  guessed('cloud.healthAfterCheckChange', "a target's health right after its check was changed", 'state', UNSAID, [
    'unknown',
    'kept',
  ]),
  guessed(
    'cloud.sortFloatingIPsByName',
    'floating IPs can be sorted by name',
    'true or false',
    "Hetzner's CLI asks for it",
  ),
  guessed('cloud.selectorMissingKey', '`k!=v` and `k notin (…)` where there is no `k`', 'outcome', 'as in Kubernetes', [
    'matches',
    'fails',
  ]),
  guessed('cloud.networkMemberStatus', '`status` of a member of a network', 'word', UNSAID, [
    'attached',
    'ready',
    'active',
  ]),
  guessed('cloud.bodyLimit', 'largest body of a request', 'bytes', UNSAID),

  guessed(
    'balancer.successesFromUnknown',
    'good looks until a target that was never judged is healthy',
    'count',
    UNSAID,
  ),
  guessed('balancer.unknownReceives', 'a target that was never judged is sent connections', 'true or false', UNSAID),
  guessed('balancer.connectionsOfLostTarget', 'connections to a target that fails or is removed', 'fate', UNSAID, [
    'keep',
    'reset',
  ]),
  guessed('balancer.withoutTarget', 'what clients see while no target can be picked', 'fate', UNSAID, [
    'close',
    'reset',
  ]),
  guessed(
    'balancer.withoutTargetStatus',
    'what an http service answers while no target can be picked',
    'status',
    UNSAID,
    [503, 502, 504],
  ),
  guessed('balancer.connectionTooMany', 'a connection more than the type of the balancer takes', 'fate', UNSAID, [
    'close',
    'reset',
  ]),
  guessed('balancer.connectTimeoutMs', 'how long a target may take to answer a SYN', DELAY, UNSAID),
  guessed('balancer.connectAttempts', 'targets that are tried for a connection', 'count', UNSAID),
  guessed('balancer.tcpIdleMs', 'idle time after which a connection is closed; 0 = never', DELAY, UNSAID),
  guessed('balancer.proxyProtocolVersion', 'version of the `proxyprotocol` header', 'version', UNSAID, [1, 2]),
  known(
    'balancer.leastTimeoutMs',
    'a health check never waits less, whatever the speed',
    'ms, not divided',
    'a choice of the lab: a busy computer must not look like a dead target',
  ),

  guessed('dns.propagationMs', 'from a change in the API until the name servers know it', DELAY, UNSAID),

  guessed(
    'talos.bootMs',
    'boot, from power to the start of Talos',
    DELAY,
    'a Hetzner machine needs 40-120 s in all; this stands for the part after the kernel',
  ),
  known('talos.kubeletPollMs', "the kubelet's look at its static pods", DELAY, "the kubelet's default"),
  known('talos.podStatusPollMs', "Talos' look at the kubelet's pods", DELAY, TALOS),
  known('talos.etcdHealthMs', 'between two looks at the health of etcd', DELAY, TALOS),
  known('talos.joinRetryMs', 'between two tries to join etcd', DELAY, TALOS),
  guessed(
    'talos.promoteRetryMs',
    'between two tries to promote an etcd learner',
    DELAY,
    '"constantly", in Talos\' source',
  ),
  known('talos.campaignRetryMs', 'between two candidacies for a shared IP', DELAY, TALOS),
  known(
    'talos.sessionTtlSeconds',
    'lease of the holder of a shared IP',
    'seconds, divided by the speed, 2 at least',
    TALOS,
  ),
  known(
    'talos.podGraceMs',
    'bound of an orderly stop of a static pod',
    'ms, divided by the speed, 5000 at least',
    TALOS,
  ),
  known('talos.heartbeatMs', "between two of the kubelet's heartbeats", DELAY, "the kubelet's default"),
  {
    ...known(
      'talos.linkNames',
      'names of links: enp1s0 and enp7s0, or eth0 and eth1',
      'form',
      "the boot path: Hetzner's Talos ISO and `metal` images, or Talos' own hcloud image (net.ifnames=0)",
    ),
    choices: ['predictable', 'kernel'],
  },
  known(
    'etcd.memberHealthMs',
    'how long members of built-in etcd must have been connected before another may be added',
    'ms, not divided',
    "etcd's source",
  ),
  known('talos.cloudRetryBaseMs', "first wait of the VIP operator's cloud client", DELAY, "hcloud-go's default"),
];
