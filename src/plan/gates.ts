import { controlPlanes, etcdLeader, memberText, sharedNames } from '../model/cluster.ts';
import { type Fact, valueOf } from '../model/fact.ts';
import type { NodeObservation, Observation } from '../model/observation.ts';
import { strangePeerUrls } from './degraded.ts';

/** A named check before a node is disturbed. What cannot be judged is closed. */
export interface GateCheck {
  readonly name: string;
  readonly verdict: 'open' | 'closed' | 'unknown';
  readonly evidence: string;
}

/** Entries of the raft log that a follower may be behind; a healthy one is behind by a handful. */
export const LAG_LIMIT = 500n;
/**
 * Talos makes a new certificate for an API server when half its year has passed. One that ends within a week was not renewed when it
 * should have been, and that is found out before anything else is touched.
 */
const CERTIFICATE_LEFT_MS = 7 * 24 * 3600 * 1000;

/**
 * Whether a control plane may be disturbed now: quorum, leader, learners, alarms, equal member lists, small lag, members at their
 * nodes' own addresses, every *other* control plane running and ready on its own address, no pending config, valid certificates.
 */
export function gateChecks(observation: Observation, target: string | undefined): GateCheck[] {
  const planes = controlPlanes(observation);
  const others = planes.filter((node) => node.name !== target);
  return [
    membersKnown(observation),
    voters(planes),
    learners(planes),
    leader(observation, planes),
    alarms(planes),
    memberLists(planes),
    memberAddresses(observation, planes),
    lag(planes),
    running(others),
    services(others),
    ready(others),
    certificates(others, observation.at),
    pending(planes),
    atRest(observation.nodes),
    hostnames(observation),
  ];
}

/** Gates that close while something restarts or is elected and open again by themselves; the others wait for a person. */
const MAY_PASS: ReadonlySet<string> = new Set([
  'no learner',
  'one leader, known to all',
  'equal member lists',
  'no member lags behind',
  'every other control plane runs and is ready',
  'etcd, kubelet and apid healthy on every other control plane',
  'every other API server ready on its own address',
  'no upgrade, reset or reboot under way',
]);

/** What cannot be judged now may be judged in a moment; what is bad stays bad, but for the gates that pass. */
export const mayPass = ({ name, verdict }: GateCheck): boolean => MAY_PASS.has(name) || verdict === 'unknown';

export const isOpen = (checks: readonly GateCheck[]): boolean => checks.every((check) => check.verdict === 'open');

const gate = (name: string, ok: boolean, evidence: string): GateCheck => ({
  name,
  verdict: ok ? 'open' : 'closed',
  evidence,
});

const blind = (name: string, evidence: string): GateCheck => ({ name, verdict: 'unknown', evidence });

/** Judges a fact of every node; one node that cannot tell closes the gate. */
function each<T>(
  name: string,
  nodes: readonly NodeObservation[],
  read: (node: NodeObservation) => Fact<T> | undefined,
  judge: (value: T, node: NodeObservation) => string | undefined,
): GateCheck {
  const silent: string[] = [];
  const bad: string[] = [];
  for (const node of nodes) {
    const fact = read(node);
    if (fact === undefined) silent.push(`${node.name}: not asked`);
    else if (fact.kind === 'unknown') silent.push(`${node.name}: ${fact.why}`);
    else {
      const problem = judge(fact.value, node);
      if (problem !== undefined) bad.push(`${node.name}: ${problem}`);
    }
  }
  if (bad.length > 0) return gate(name, false, bad.join('; '));
  if (silent.length > 0) return blind(name, silent.join('; '));
  return gate(name, true, nodes.map((node) => node.name).join(', '));
}

function membersKnown(observation: Observation): GateCheck {
  const name = 'every node is known and answers';
  if (observation.membership.kind === 'unknown') return blind(name, observation.membership.why);
  const silent = observation.nodes.filter((node) => node.talosVersion.kind === 'unknown' && node.role !== 'worker');
  if (silent.length > 0) return blind(name, silent.map((node) => `${node.name} does not answer`).join('; '));
  return gate(name, true, observation.nodes.map((node) => node.name).join(', '));
}

const memberFacts = (planes: readonly NodeObservation[]) =>
  planes.flatMap((node) => {
    const members = node.etcd === undefined ? undefined : valueOf(node.etcd.members);
    return members === undefined ? [] : [{ node, members }];
  });

function voters(planes: readonly NodeObservation[]): GateCheck {
  const name = 'three or more voters, an odd number';
  const [first] = memberFacts(planes);
  if (first === undefined) return blind(name, 'no control plane told its etcd members');
  const list = first.members.filter((member) => !member.isLearner);
  return gate(
    name,
    list.length >= 3 && list.length % 2 === 1,
    `${list.length}: ${list.map((m) => m.hostname).join(', ')}`,
  );
}

const learners = (planes: readonly NodeObservation[]): GateCheck =>
  each(
    'no learner',
    planes,
    (node) => node.etcd?.members,
    (members) => {
      const list = members.filter((member) => member.isLearner);
      return list.length === 0 ? undefined : `${list.map((m) => m.hostname).join(', ')} is a learner`;
    },
  );

function leader(observation: Observation, planes: readonly NodeObservation[]): GateCheck {
  const name = 'one leader, known to all';
  const asked = each(
    name,
    planes,
    (node) => node.etcd?.status,
    () => undefined,
  );
  if (asked.verdict !== 'open') return asked;
  const node = etcdLeader(observation);
  const terms = new Set(planes.map((p) => (p.etcd === undefined ? undefined : valueOf(p.etcd.status)?.raftTerm)));
  if (terms.size > 1) return gate(name, false, 'the members are in different raft terms');
  return node === undefined ? gate(name, false, 'no leader that all agree on') : gate(name, true, node.name);
}

const alarms = (planes: readonly NodeObservation[]): GateCheck => {
  const raised = each(
    'no etcd alarm and no etcd error',
    planes,
    (node) => node.etcd?.alarms,
    (list) => (list.length === 0 ? undefined : list.map((a) => `${a.alarm} of ${memberText(a.memberId)}`).join(', ')),
  );
  if (raised.verdict !== 'open') return raised;
  return each(
    raised.name,
    planes,
    (node) => node.etcd?.status,
    (status) => (status.errors.length === 0 ? undefined : status.errors.join(', ')),
  );
};

function memberLists(planes: readonly NodeObservation[]): GateCheck {
  const name = 'equal member lists';
  const facts = memberFacts(planes);
  if (facts.length < planes.length || facts.length === 0) return blind(name, 'not every control plane told its list');
  const texts = new Set(
    facts.map(({ members }) =>
      members
        .map((m) => memberText(m.id))
        .toSorted()
        .join(' '),
    ),
  );
  return gate(name, texts.size === 1, texts.size === 1 ? ([...texts][0] ?? '') : [...texts].join(' / '));
}

function memberAddresses(observation: Observation, planes: readonly NodeObservation[]): GateCheck {
  const name = 'every member at an own address of its node';
  const [first] = memberFacts(planes);
  if (first === undefined) return blind(name, 'no control plane told its etcd members');
  const bad = first.members.flatMap((member) => {
    const node = [...observation.nodes, ...(observation.skipped ?? [])].find((n) => n.name === member.hostname);
    if (node === undefined) return [`${member.hostname}: no such node`];
    const strange = strangePeerUrls(node, member.peerUrls);
    return strange.length === 0 ? [] : [`${member.hostname}: ${strange.join(', ')}`];
  });
  return gate(name, bad.length === 0, bad.length === 0 ? `${first.members.length} members` : bad.join('; '));
}

function lag(planes: readonly NodeObservation[]): GateCheck {
  const name = 'no member lags behind';
  const statuses = planes.flatMap((node) => {
    const status = node.etcd === undefined ? undefined : valueOf(node.etcd.status);
    return status === undefined ? [] : [{ name: node.name, applied: status.raftAppliedIndex, index: status.raftIndex }];
  });
  if (statuses.length < planes.length || statuses.length === 0) return blind(name, 'not every member told its state');
  const newest = statuses.reduce((max, s) => (s.index > max ? s.index : max), 0n);
  const behind = statuses.filter((s) => newest - s.applied > LAG_LIMIT);
  return gate(
    name,
    behind.length === 0,
    behind.length === 0
      ? `at most ${statuses.reduce((max, s) => (newest - s.applied > max ? newest - s.applied : max), 0n)} entries`
      : behind.map((s) => `${s.name} by ${newest - s.applied}`).join('; '),
  );
}

const running = (others: readonly NodeObservation[]): GateCheck =>
  each(
    'every other control plane runs and is ready',
    others,
    (node) => node.stage,
    ({ stage, ready: ok, unmet }) =>
      stage === 'running' && ok
        ? undefined
        : `${stage}${ok ? '' : ', not ready'}${unmet.length > 0 ? ` (${unmet.join(', ')})` : ''}`,
  );

const NEEDED_SERVICES = ['etcd', 'kubelet', 'apid'];

const services = (others: readonly NodeObservation[]): GateCheck =>
  each(
    'etcd, kubelet and apid healthy on every other control plane',
    others,
    (node) => node.services,
    (list) => {
      const bad = NEEDED_SERVICES.filter((id) => {
        const service = list.find((s) => s.id === id);
        return service === undefined || service.state !== 'Running' || service.healthy === false;
      });
      return bad.length === 0 ? undefined : bad.join(', ');
    },
  );

const ready = (others: readonly NodeObservation[]): GateCheck =>
  each(
    'every other API server ready on its own address',
    others,
    (node) => node.apiReady,
    (result) =>
      result.kind === 'answered'
        ? result.status === 200
          ? undefined
          : `/readyz answered ${result.status}`
        : `${result.reason}: ${result.message}`,
  );

const certificates = (others: readonly NodeObservation[], at: string): GateCheck =>
  each(
    'certificates trusted and valid',
    others,
    (node) => node.certificate,
    (certificate) =>
      !certificate.trusted
        ? (certificate.problem ?? 'not trusted')
        : Date.parse(certificate.notAfter) - Date.parse(at) < CERTIFICATE_LEFT_MS
          ? `ends at ${certificate.notAfter}`
          : undefined,
  );

function pending(planes: readonly NodeObservation[]): GateCheck {
  return each(
    'no staged or tried config pending',
    planes,
    (node) => node.persistentSha256,
    (persistent, node) => {
      const active = valueOf(node.config)?.sha256;
      return active === persistent ? undefined : 'active and persistent config differ';
    },
  );
}

/** Stages of a machine that is on its way elsewhere. */
const UNDER_WAY: ReadonlySet<string> = new Set(['upgrading', 'installing', 'resetting', 'rebooting', 'shutting down']);

const atRest = (nodes: readonly NodeObservation[]): GateCheck =>
  each(
    'no upgrade, reset or reboot under way',
    nodes,
    (node) => node.stage,
    ({ stage }) => (UNDER_WAY.has(stage) ? stage : undefined),
  );

function hostnames(observation: Observation): GateCheck {
  const shared = sharedNames(observation);
  return gate(
    'every host name once',
    shared.length === 0,
    shared.length === 0
      ? `${observation.nodes.length} nodes`
      : shared.map(({ name, why }) => `${name}: ${why}`).join('; '),
  );
}
