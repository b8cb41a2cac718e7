import type { FirewallRule, IngressPolicy } from '../types.ts';

const isIPv4 = (cidr: string): boolean => !cidr.includes(':');
const setOf = (members: readonly string[]): string => `{ ${members.join(', ')} }`;

/** One rule as nftables says it; undefined where it speaks of IPv6 only, which these networks do not have. */
function clauseOf(rule: FirewallRule): string | undefined {
  const { direction, protocol, port } = rule;
  const cidrs = (direction === 'in' ? rule.sourceIPs : rule.destinationIPs).filter(isIPv4);
  if (cidrs.length === 0) return undefined;
  const side = direction === 'in' ? 'saddr' : 'daddr';
  const address = cidrs.includes('0.0.0.0/0') ? '' : `ip ${side} ${setOf(cidrs)} `;
  const what = port === null || port === 'any' ? `meta l4proto ${protocol}` : `${protocol} dport ${port}`;
  return `${address}${what} return`;
}

/**
 * A packet that may pass returns to the chain that asked: others have their say too.
 *
 * The two chains of a machine's firewall in the router: `in3` and `out3` for machine 3.
 */
export function firewallChains(number: number, rules: readonly FirewallRule[]): string {
  const chain = (direction: 'in' | 'out'): string => {
    const own = rules.filter((rule) => rule.direction === direction);
    const lines = own.map(clauseOf).filter((line) => line !== undefined);
    // Without a rule for what goes out, everything may.
    const rest = direction === 'out' && own.length === 0 ? 'return' : 'drop';
    return `  chain ${direction}${number} {\n    ${['ct state established,related return', ...lines, rest].join('\n    ')}\n  }\n`;
  };
  return chain('in') + chain('out');
}

export const firewallJumps = (number: number): readonly string[] => [
  `oifname "p${number}" jump in${number}`,
  `iifname "p${number}" jump out${number}`,
];

/**
 * Talos' ingress firewall for new connections to the machine's processes. Where the default blocks, a rule lets its
 * subnets in; where it accepts, a rule shuts out everybody else from its ports. Talos drops, it does not refuse.
 */
export function ingressLines(policy: IngressPolicy): readonly string[] {
  const lines = policy.rules.flatMap(({ protocol, ports, from }) => {
    const portsText =
      ports.length === 0
        ? `meta l4proto ${protocol}`
        : `meta l4proto ${protocol} ct original proto-dst ${setOf(ports)}`;
    const sources = from.filter(({ subnet }) => isIPv4(subnet));
    const allowed = sources.map(({ subnet, except }) => {
      const not = except === undefined || except === '' ? '' : ` ip saddr != ${except}`;
      return `ip saddr ${subnet}${not} ${portsText} return`;
    });
    return policy.otherwise === 'block' ? allowed : [...allowed, `${portsText} drop`];
  });
  return [...lines, policy.otherwise === 'block' ? 'drop' : 'return'];
}
