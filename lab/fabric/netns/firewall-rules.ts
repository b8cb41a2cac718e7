import type { FirewallRule, IngressPolicy } from '../types.ts';

const FAMILIES = [
  { key: 'ip', name: 'ipv4', any: '0.0.0.0/0', icmp: 'icmp', has: (cidr: string) => !cidr.includes(':') },
  { key: 'ip6', name: 'ipv6', any: '::/0', icmp: 'icmpv6', has: (cidr: string) => cidr.includes(':') },
] as const;
type Family = (typeof FAMILIES)[number];

const setOf = (members: readonly string[]): string => `{ ${members.join(', ')} }`;

/** One rule as nftables says it: a line for each family it names, or for each of its networks. */
function clausesOf(rule: FirewallRule): readonly string[] {
  const { direction, protocol, port } = rule;
  const cidrs = direction === 'in' ? rule.sourceIPs : rule.destinationIPs;
  const side = direction === 'in' ? 'saddr' : 'daddr';
  return FAMILIES.flatMap(({ key, name, any, icmp, has }) => {
    // A rule for ICMP means that of both families: Hetzner names no other.
    const kind = protocol === 'icmp' ? icmp : protocol;
    const what = port === null || port === 'any' ? `meta l4proto ${kind}` : `${kind} dport ${port}`;
    const own = cidrs.filter(has);
    return own.includes(any)
      ? [`meta nfproto ${name} ${what} return`]
      : own.map((cidr) => `${key} ${side} ${cidr} ${what} return`);
  });
}

/**
 * A packet that may pass returns to the chain that asked: others have their say too.
 *
 * The two chains of a machine's firewall in the router: `in3` and `out3` for machine 3.
 */
export function firewallChains(number: number, rules: readonly FirewallRule[]): string {
  const chain = (direction: 'in' | 'out'): string => {
    const own = rules.filter((rule) => rule.direction === direction);
    // Without a rule for what goes out, everything may.
    const rest = direction === 'out' && own.length === 0 ? 'return' : 'drop';
    const lines = ['ct state established,related return', ...own.flatMap(clausesOf), rest];
    return `  chain ${direction}${number} {\n    ${lines.join('\n    ')}\n  }\n`;
  };
  return chain('in') + chain('out');
}

export const firewallJumps = (number: number): readonly string[] => [
  `oifname "p${number}" jump in${number}`,
  `iifname "p${number}" jump out${number}`,
];

/**
 * Talos' ingress firewall for new connections to the machine's processes, in the words of one family. Where the default
 * blocks, a rule lets its subnets in; where it accepts, a rule shuts out everybody else from its ports. Talos drops, it
 * does not refuse.
 */
export function ingressLines(policy: IngressPolicy, of: Family['key']): readonly string[] {
  const has = of === 'ip6' ? FAMILIES[1].has : FAMILIES[0].has;
  const lines = policy.rules.flatMap(({ protocol, ports, from }) => {
    const portsText =
      ports.length === 0
        ? `meta l4proto ${protocol}`
        : `meta l4proto ${protocol} ct original proto-dst ${setOf(ports)}`;
    const sources = from.filter(({ subnet }) => has(subnet));
    const allowed = sources.map(({ subnet, except }) => {
      const not = except === undefined || except === '' ? '' : ` ${of} saddr != ${except}`;
      return `${of} saddr ${subnet}${not} ${portsText} return`;
    });
    return policy.otherwise === 'block' ? allowed : [...allowed, `${portsText} drop`];
  });
  return [...lines, policy.otherwise === 'block' ? 'drop' : 'return'];
}
