/**
 * Settings that Talos takes from a list of words, by the name that its messages give the list. Read without regard to
 * capitals.
 */
const WORDS = {
  ADLACPActive: ['off', 'on'],
  ADSelect: ['stable', 'bandwidth', 'count'],
  ARPAllTargets: ['any', 'all'],
  ARPValidate: ['none', 'active', 'backup', 'all', 'filter', 'filter-active', 'filter-backup'],
  AutoHostnameKind: ['off', 'talos-addr', 'stable'],
  BondMode: ['balance-rr', 'active-backup', 'balance-xor', 'broadcast', '802.3ad', 'balance-tlb', 'balance-alb'],
  BondXmitHashPolicy: ['layer2', 'layer3+4', 'layer2+3', 'encap2+3', 'encap3+4'],
  ClientIdentifier: ['none', 'mac', 'duid'],
  DNSProtocol: ['Do53', 'DoT', 'DoH'],
  DefaultAction: ['accept', 'block'],
  FailOverMAC: ['none', 'active', 'follow'],
  LACPRate: ['slow', 'fast'],
  PrimaryReselect: ['always', 'better', 'failure'],
  Protocol: ['icmp', 'tcp', 'udp', 'icmpv6'],
  RoutingRuleAction: ['unspec', 'unicast', 'blackhole', 'unreachable', 'prohibit'],
  RoutingTable: ['unspec', 'default', 'main', 'local', ...Array.from({ length: 252 }, (_, n) => String(n + 1))],
  VLANProtocol: ['802.1q', '802.1ad'],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type WordType = keyof typeof WORDS;

export const isWordType = (name: string): name is WordType => Object.hasOwn(WORDS, name);

/** What is wrong with a word, in Talos' words; undefined = it is one of the list. */
export function wordProblem(type: WordType, text: string): string | undefined {
  const words: readonly string[] = WORDS[type];
  if (words.some((word) => word.toLowerCase() === text.toLowerCase())) return undefined;
  return `${text} does not belong to ${type} values`;
}
