import { controlPlanes, memberText } from '../../model/cluster.ts';
import { valueOf } from '../../model/fact.ts';
import type { EtcdMember } from '../../systems/talos/types.ts';
import { finding, type Rule } from '../rule.ts';

const firstList = (observation: Parameters<Rule>[0]['observation']): readonly EtcdMember[] | undefined =>
  controlPlanes(observation)
    .map((node) => (node.etcd === undefined ? undefined : valueOf(node.etcd.members)))
    .find((members) => members !== undefined);

/** Fewer than three voters, or an even number: no node may fail, so no address helps. */
export const votersTooFew: Rule = ({ observation }) => {
  const voters = firstList(observation)?.filter((member) => !member.isLearner);
  if (voters === undefined || (voters.length >= 3 && voters.length % 2 === 1)) return [];
  return [
    finding({
      id: 'voters-not-three-or-more-odd',
      level: 'error',
      subject: 'etcd',
      message: `etcd has ${voters.length} voting member${voters.length === 1 ? '' : 's'}: an endpoint outlives a node only with an odd number of three or more.`,
      evidence: voters.map((member) => `${member.hostname} (${memberText(member.id)})`),
      remedy: 'Bring the control plane to three (or five) nodes first.',
    }),
  ];
};

export const learnerPresent: Rule = ({ observation }) =>
  (firstList(observation) ?? [])
    .filter((member) => member.isLearner)
    .map((member) =>
      finding({
        id: 'etcd-learner',
        level: 'error',
        subject: member.hostname,
        message: `The etcd member ${member.hostname} is a learner: it does not vote yet.`,
        evidence: [`member ${memberText(member.id)}`],
        remedy:
          'Wait until it is promoted; if it does not catch up, look at etcd on that node (talosctl service etcd).',
      }),
    );

export const alarmRaised: Rule = ({ observation }) => {
  const alarms = controlPlanes(observation).flatMap((node) =>
    node.etcd === undefined ? [] : [...(valueOf(node.etcd.alarms) ?? [])],
  );
  const distinct = [...new Map(alarms.map((alarm) => [`${alarm.memberId}/${alarm.alarm}`, alarm])).values()];
  return distinct.map((alarm) =>
    finding({
      id: 'etcd-alarm',
      level: 'error',
      subject: `member ${memberText(alarm.memberId)}`,
      message: `etcd raised the alarm ${alarm.alarm}.`,
      remedy: 'Clear its cause first (NOSPACE: compact and defragment; CORRUPT: replace the member), then the alarm.',
    }),
  );
};

export const noLeader: Rule = ({ observation }) => {
  const statuses = controlPlanes(observation).flatMap((node) => {
    const status = node.etcd === undefined ? undefined : valueOf(node.etcd.status);
    return status === undefined ? [] : [{ node: node.name, leader: status.leader }];
  });
  if (statuses.length === 0) return [];
  const leaders = new Set(statuses.map((s) => s.leader));
  if (leaders.size === 1 && !leaders.has(0n)) return [];
  return [
    finding({
      id: 'etcd-no-leader',
      level: 'error',
      subject: 'etcd',
      message: leaders.has(0n) ? 'etcd has no leader.' : 'The etcd members do not agree on a leader.',
      evidence: statuses.map((s) => `${s.node}: leader ${s.leader === 0n ? 'none' : memberText(s.leader)}`),
      remedy: 'Restore quorum first: without it neither the API nor the VIP can work.',
    }),
  ];
};

export const memberListsDiffer: Rule = ({ observation }) => {
  const lists = controlPlanes(observation).flatMap((node) => {
    const members = node.etcd === undefined ? undefined : valueOf(node.etcd.members);
    return members === undefined
      ? []
      : [
          {
            node: node.name,
            text: members
              .map((m) => memberText(m.id))
              .toSorted()
              .join(' '),
          },
        ];
  });
  if (new Set(lists.map((l) => l.text)).size < 2) return [];
  return [
    finding({
      id: 'etcd-member-lists-differ',
      level: 'error',
      subject: 'etcd',
      message: 'The control planes do not know the same etcd members.',
      evidence: lists.map((l) => `${l.node}: ${l.text}`),
      remedy: 'A member was just added or removed, or the cluster is split: wait, and look again.',
    }),
  ];
};

/** A member whose node is not there any more still counts for the quorum. */
export const memberWithoutNode: Rule = ({ observation }) => {
  if (observation.membership.kind === 'unknown') return [];
  return (firstList(observation) ?? []).flatMap((member) => {
    const node = observation.nodes.find((n) => n.name === member.hostname);
    if (node === undefined || node.server !== undefined || observation.cloud.servers.kind === 'unknown') return [];
    return [
      finding({
        id: 'etcd-member-without-server',
        level: 'error',
        subject: member.hostname,
        message: `The etcd member ${member.hostname} has no server any more, but counts for the quorum.`,
        evidence: [`member ${memberText(member.id)}: ${member.peerUrls.join(', ')}`],
        remedy: `If the machine is gone for good: talosctl etcd remove-member ${memberText(member.id)}.`,
      }),
    ];
  });
};
