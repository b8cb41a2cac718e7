import { parseMachineConfig } from '../machine-config/read.ts';
import { bareAddress, claims, controlPlanes } from '../model/cluster.ts';
import { isIPv4 } from '../model/endpoint.ts';
import { valueOf } from '../model/fact.ts';
import type { NodeObservation, Observation } from '../model/observation.ts';

/**
 * Talos keeps the VIP on a node whose API server restarts: clients of the endpoint are refused for as long. So before the holder is
 * disturbed its VIP entry is taken out (another control plane has the address within the cloud's answer time), and put back afterwards.
 */
export type HandOver =
  /** Nothing of the kind: no restart to come, or it does not hold the address. */
  | { readonly kind: 'none' }
  /** The entry goes before the restart. */
  | { readonly kind: 'before' }
  /** It is out, and another control plane has the address: what restarts comes first, the entry after it. */
  | { readonly kind: 'out' }
  /** It would be right and is not safe: the endpoint is away for one restart. */
  | { readonly kind: 'not-safe'; readonly why: string };

/** `done`: whether a control plane's config is as it shall be; only those can take the address over for good. */
export function handOver(
  observation: Observation,
  node: NodeObservation,
  ip: string,
  restarts: boolean,
  done: (other: NodeObservation) => boolean,
): HandOver {
  const others = controlPlanes(observation).filter((other) => other.name !== node.name);
  const entry = valueOf(node.config)?.vips.some((vip) => vip.ip === ip) === true;
  const concerned = entry ? restarts && claims(node, ip) : others.some((other) => claims(other, ip));
  if (!concerned || others.length === 0 || !others.every(done)) return { kind: 'none' };
  if (!entry) return { kind: 'out' };
  const trouble = wouldBeTaken(node, ip);
  return trouble === undefined ? { kind: 'before' } : { kind: 'not-safe', why: trouble };
}

/**
 * Why the address could become the node's own when its VIP entry goes; undefined where it cannot. In the moment between, Talos sees it as
 * an ordinary address: the kubelet takes the first IPv4 in numeric order that its validSubnets allow, etcd the first that its
 * advertisedSubnets allow. Only an own address that comes before it, or a subnet list without it, keeps it out.
 */
export function wouldBeTaken(node: NodeObservation, ip: string): string | undefined {
  const config = valueOf(node.config);
  const links = valueOf(node.links);
  if (config === undefined || links === undefined) return 'its addresses are not known';
  const own = links
    .filter((link) => link.link !== 'lo')
    .map((link) => bareAddress(link.address))
    .filter((address) => isIPv4(address) && address !== ip && !address.startsWith('169.254.'));
  const { etcdAdvertised, kubeletNodeIP } = parseMachineConfig(config.text.reveal()).subnets;
  for (const [who, subnets] of [
    ['kubelet', kubeletNodeIP],
    ['etcd', etcdAdvertised],
  ] as const) {
    const allowed = (address: string): boolean => allows(subnets, address);
    const first = own.filter(allowed).toSorted((a, b) => numberOf(a) - numberOf(b))[0];
    if (allowed(ip) && (first === undefined || numberOf(ip) < numberOf(first))) {
      return `${ip} comes before ${first ?? 'every address'} of ${node.name}, so ${who} could take it for the node's own while the entry is out (set ${who === 'etcd' ? 'cluster.etcd.advertisedSubnets' : 'machine.kubelet.nodeIP.validSubnets'})`;
    }
  }
  return undefined;
}

/** Talos' lists of subnets: in order, what is meant comes in, what is meant with `!` goes again. An empty list allows all. */
function allows(subnets: readonly string[], address: string): boolean {
  if (subnets.length === 0) return true;
  let allowed = false;
  for (const subnet of subnets) {
    const negative = subnet.startsWith('!');
    if (contains(negative ? subnet.slice(1) : subnet, address)) allowed = !negative;
  }
  return allowed;
}

function contains(subnet: string, address: string): boolean {
  const [base = '', bits = '32'] = subnet.split('/');
  if (!isIPv4(base) || !isIPv4(address)) return false;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(numberOf(base) / size) === Math.floor(numberOf(address) / size);
}

const numberOf = (address: string): number => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
