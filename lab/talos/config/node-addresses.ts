import { compareIps, contains, filterIps, isLinkLocal, isLoopback, parseSubnet, type Ip, type Subnet } from './ip.ts';
import type { Settings } from './settings.ts';
import type { NodeFacts } from './types.ts';

export interface NodeAddresses {
  /** Addresses on links that are up, without those of pods and services: kubelet and etcd choose among them. */
  readonly routed: readonly Ip[];
  /** Everything the node has or had since boot, and its addresses at the platform: what certificates cover. */
  readonly accumulative: readonly Ip[];
}

/** The address sets of a node (Talos: NodeAddressController), sorted by the algorithm the config names. */
export function nodeAddresses(settings: Settings, facts: NodeFacts): NodeAddresses {
  const kubernetes = [...settings.podSubnets, ...settings.serviceSubnets].flatMap((text) => parseSubnet(text) ?? []);
  const down = new Set(facts.links.filter(({ up }) => up === false).map(({ name }) => name));
  const usable = (texts: readonly string[]): Ip[] =>
    texts
      .flatMap((text) => parseSubnet(text) ?? [])
      .filter(({ ip }) => !isLoopback(ip) && !isLinkLocal(ip) && !kubernetes.some((subnet) => contains(subnet, ip)))
      .toSorted(settings.addressSort === 'v2' ? bySpecificity : (a, b) => compareIps(a.ip, b.ip))
      .map(({ ip }) => ip)
      .filter((ip, i, all) => all.findIndex((other) => compareIps(ip, other) === 0) === i);
  const bound = facts.addresses.filter(({ scope }) => scope === undefined || scope === 'global');
  return {
    routed: usable(bound.filter(({ link }) => !down.has(link)).map(({ address }) => address)),
    accumulative: usable([
      ...bound.map(({ address }) => address),
      ...facts.earlierAddresses,
      ...facts.externalAddresses,
    ]),
  };
}

/** Sort algorithm v2: IPv4 first; of two networks where one contains the other the smaller; else by number. */
function bySpecificity(a: Subnet, b: Subnet): number {
  if (a.ip.bits !== b.ip.bits) return a.ip.bits - b.ip.bits;
  const related = a.length !== b.length && (contains(a, b.ip) || contains(b, a.ip));
  return related ? b.length - a.length : compareIps(a.ip, b.ip) || b.length - a.length;
}

/**
 * The addresses kubelet announces: the first of each family that passes the filters, virtual IPs and the networks of pods
 * and services left out (Talos: NodeIPController). None = kubelet does not start.
 */
export function kubeletNodeIPs(
  settings: Settings,
  addresses: NodeAddresses,
  vips: readonly string[],
): { readonly ips: readonly Ip[]; readonly skipped: readonly Ip[] } {
  const families = new Set(settings.serviceSubnets.map((text) => (text.includes(':') ? '::/0' : '0.0.0.0/0')));
  const excluded = [...settings.podSubnets, ...settings.serviceSubnets, ...vips].map((subnet) => `!${subnet}`);
  const valid = settings.nodeIPSubnets.length > 0 ? settings.nodeIPSubnets : [...families];
  const candidates = filterIps(addresses.routed, [...valid, ...excluded]);
  const isFirst = (ip: Ip): boolean => candidates.find(({ bits }) => bits === ip.bits) === ip;
  return { ips: candidates.filter(isFirst), skipped: candidates.filter((ip) => !isFirst(ip)) };
}

/**
 * The addresses etcd announces (Talos: EtcdConfigController, EtcdSpecController): without configured subnets the first that is no virtual
 * IP, else all that match. None = etcd does not start, also when it has nothing to listen on.
 */
export function etcdAdvertised(settings: Settings, addresses: NodeAddresses, vips: readonly string[]): readonly Ip[] {
  const { subnet, advertised, listen } = settings.etcd;
  const valid = subnet === undefined ? advertised : [subnet];
  const listenValid = listen.length > 0 ? listen : advertised;
  if (listenValid.length > 0 && filterIps(addresses.routed, listenValid).length === 0) return [];
  const excluded = vips.map((vip) => `!${vip}`);
  return valid.length > 0
    ? filterIps(addresses.routed, [...valid, ...excluded])
    : filterIps(addresses.routed, ['0.0.0.0/0', '::/0', ...excluded]).slice(0, 1);
}
