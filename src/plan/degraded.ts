import { bareAddress, controlPlanes, memberText } from '../model/cluster.ts';
import { parseEndpoint } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import type { NodeObservation, Observation } from '../model/observation.ts';
import type { EtcdMember } from '../systems/talos/types.ts';

/** A control plane that does not answer at all, neither Talos nor its API server: only such a one may be left out of a run. */
export const isDead = (node: NodeObservation): boolean =>
  node.role === 'control-plane' && node.talosVersion.kind === 'unknown' && node.certificate?.kind !== 'known';

/** Whether what is left of the control plane may be changed, and the observation without what is dead. */
export type Degraded =
  /** Nothing is dead. */
  | { readonly kind: 'whole' }
  | { readonly kind: 'possible'; readonly observation: Observation; readonly dead: readonly NodeObservation[] }
  | { readonly kind: 'impossible'; readonly why: string };

/**
 * Leaves dead control planes out where the others hold the quorum: a majority of the voters answers, none of them a learner or in
 * trouble. `earlier`: only who was left out then may be left out now, so that a node that is slow for a moment is waited for, not skipped.
 */
export function degraded(observation: Observation, earlier?: Observation): Degraded {
  const dead = controlPlanes(observation).filter(
    (node) => isDead(node) && (earlier === undefined || (earlier.skipped ?? []).some((s) => s.name === node.name)),
  );
  if (dead.length === 0) return { kind: 'whole' };
  const left = controlPlanes(observation).filter((node) => !dead.includes(node));
  const members = membersOf(left);
  if (members === undefined) return { kind: 'impossible', why: 'no control plane told its etcd members' };
  const voters = members.filter((member) => !member.isLearner);
  const healthy = left.filter((node) => {
    const status = node.etcd === undefined ? undefined : valueOf(node.etcd.status);
    return (
      status !== undefined &&
      !status.isLearner &&
      status.errors.length === 0 &&
      status.leader !== 0n &&
      voters.some((voter) => voter.id === status.memberId)
    );
  });
  const majority = Math.floor(voters.length / 2) + 1;
  if (healthy.length < majority) {
    return {
      kind: 'impossible',
      why: `${healthy.length} of ${voters.length} voters of etcd are healthy, ${majority} are the quorum`,
    };
  }
  const nodes = observation.nodes.filter((node) => !dead.includes(node));
  return { kind: 'possible', observation: { ...observation, nodes, skipped: dead }, dead };
}

const membersOf = (planes: readonly NodeObservation[]): readonly EtcdMember[] | undefined =>
  planes
    .map((node) => (node.etcd === undefined ? undefined : valueOf(node.etcd.members)))
    .find((list) => list !== undefined);

/** Whether the machine is gone for good: the cloud lists its servers, and this one is not among them. */
export const isGone = (node: NodeObservation, observation: Observation): boolean =>
  node.server === undefined && node.talosVersion.kind === 'unknown' && observation.cloud.servers.kind === 'known';

/** The exact command that takes the etcd member of a node out, sent to another control plane; undefined where etcd lists none. */
export function memberRemoval(node: NodeObservation, observation: Observation): string | undefined {
  const left = controlPlanes(observation).filter((other) => other.name !== node.name);
  const member = membersOf(left)?.find((m) => m.hostname === node.name);
  const via = left.find((other) => other.etcd?.members.kind === 'known')?.address;
  return member === undefined || via === undefined
    ? undefined
    : `talosctl -n ${via} -e ${via} etcd remove-member ${memberText(member.id)}`;
}

/** The exact commands that take a node out that is gone for good. fairlead never runs them. */
export function removalOf(node: NodeObservation, observation: Observation): string {
  const removal = memberRemoval(node, observation);
  const forget = `kubectl delete node ${node.name}`;
  return removal === undefined ? forget : `${removal}, then ${forget}`;
}

/**
 * Peer URLs of a node's member that lead to none of the addresses it has now: the member is what a machine of the same name left behind.
 * What discovery remembers of the earlier machine does not count, only links and the cloud's record.
 */
export function strangePeerUrls(node: NodeObservation, urls: readonly string[]): readonly string[] {
  const links = valueOf(node.links)?.map((link) => bareAddress(link.address));
  const { server } = node;
  const cloud = [server?.publicIPv4 ?? [], ...(server?.privateIPv4 ?? []).map((net) => net.ip)].flat();
  const real = node.ownAddresses.filter(
    (address) => links === undefined || links.includes(address) || cloud.includes(address),
  );
  return urls.filter((url) => !real.includes(parseEndpoint(url)?.host ?? ''));
}

/** Control planes that are there and whose etcd member is that of the machine before them. */
export function leftBehind(
  observation: Observation,
): readonly { readonly node: NodeObservation; readonly urls: readonly string[] }[] {
  const members = membersOf(controlPlanes(observation)) ?? [];
  return controlPlanes(observation).flatMap((node) => {
    const member = members.find((m) => m.hostname === node.name);
    if (member === undefined || node.talosVersion.kind === 'unknown' || node.etcd?.status.kind === 'known') return [];
    const urls = strangePeerUrls(node, member.peerUrls);
    return urls.length === 0 ? [] : [{ node, urls }];
  });
}

/** What a run with `--allow-degraded` does and leaves. */
export const degradedEffect = (observation: Observation, dead: readonly NodeObservation[]): string => {
  const names = dead.map((node) => node.name).join(', ');
  const left = controlPlanes(observation).filter((node) => !dead.includes(node));
  return `${left.map((node) => node.name).join(' and ')} ${left.length === 1 ? 'is' : 'are'} changed, one API server at a time and nothing of etcd, while no other may fail; ${names} ${dead.length === 1 ? 'is' : 'are'} left as ${dead.length === 1 ? 'it is' : 'they are'} and needs another apply when back`;
};
