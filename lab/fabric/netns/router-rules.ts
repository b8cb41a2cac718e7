import type { Disturbance, FirewallRule, Party } from '../types.ts';
import { PRIVATE_RANGE } from './addresses.ts';
import { firewallChains, firewallJumps } from './firewall-rules.ts';
import type { Detour } from './latency.ts';

const DNS_PORT = 53;

/**
 * nftables of the router, through which everything between two parties passes. A cloud does not tell senders that a
 * machine is off: their packets vanish. The private network is reached over private links only (and by the lab's own
 * process). Replaces what was there in one transaction.
 */
export function routerRules(
  disturbances: readonly Disturbance[],
  /** The number of the machine of this name, which its links carry. */
  numberOf: (name: string) => number | undefined,
  /** By number of the machine. */
  firewalls: ReadonlyMap<number, readonly FirewallRule[]>,
  /** Where what has latency is led before it goes where it wants to. */
  detours: readonly Detour[],
): string {
  return `table inet lab
delete table inet lab
table inet lab {
${[...firewalls].map(([number, rules]) => firewallChains(number, rules)).join('')}  chain detours {
    type filter hook prerouting priority mangle; policy accept;
    ${detours.flatMap((one) => marksOf(one, numberOf)).join('\n    ')}
  }
  chain output {
    type filter hook output priority filter; policy accept;
    icmp type destination-unreachable icmp code host-unreachable drop
    icmpv6 type destination-unreachable drop
  }
  chain forwarding {
    type filter hook forward priority filter; policy accept;
    iifname { "client", "p*" } ip daddr ${PRIVATE_RANGE} drop
    iifname "v*" ip daddr != ${PRIVATE_RANGE} drop
    ${disturbances.flatMap((one) => dropsOf(one, numberOf, detours)).join('\n    ')}
    ${[...firewalls.keys()].flatMap(firewallJumps).join('\n    ')}
  }
}
`;
}

/** A packet is led by where it comes from and where it would go; back from its detour it comes from neither party. */
const marksOf = ({ from, to, mark }: Detour, numberOf: (name: string) => number | undefined): string[] =>
  side(from, 'i', numberOf).flatMap((a) =>
    side(to, 'o', numberOf).map((b) => `${a} fib daddr ${b} meta mark set ${mark}`),
  );

function dropsOf(
  one: Disturbance,
  numberOf: (name: string) => number | undefined,
  detours: readonly Detour[],
): string[] {
  /** Also when it comes back from its detour. */
  const coming = (from: Party, to: Party): string[] => [
    ...side(from, 'i', numberOf),
    ...detours.filter((lane) => lane.from === from && lane.to === to).map(({ link }) => `iifname "${link}"`),
  ];
  const matches = (from: Party, to: Party): string[] =>
    coming(from, to).flatMap((a) => side(to, 'o', numberOf).map((b) => `${a} ${b}`));
  switch (one.kind) {
    case 'firewall':
      return side(one.node, 'o', numberOf).flatMap((to) => {
        const port = one.port === undefined ? 'meta l4proto tcp' : `tcp dport ${one.port}`;
        const what = `${to} ${port} tcp flags & (syn | ack) == syn drop`;
        return one.from === undefined ? [what] : coming(one.from, one.node).map((from) => `${from} ${what}`);
      });
    case 'partition':
    case 'loss': {
      // In ten-thousandths; all of it is a partition.
      const lost = one.kind === 'partition' ? 10_000 : Math.round(one.share * 10_000);
      const verdict = lost >= 10_000 ? 'drop' : `numgen random mod 10000 < ${lost} drop`;
      const pairs = [...matches(one.from, one.to), ...(one.oneWay ? [] : matches(one.to, one.from))];
      return pairs.map((pair) => `${pair} ${verdict}`);
    }
    case 'latency':
      return [];
  }
}

/** Matches of what comes from (i) or goes to (o) a party; a machine that is no more matches nothing. */
function side(party: Party, way: 'i' | 'o', numberOf: (name: string) => number | undefined): string[] {
  const link = `${way}ifname`;
  const port = way === 'i' ? 'sport' : 'dport';
  if (party === 'client') return [`${link} "client"`];
  if (party === 'dns') return [`${link} "lab" meta l4proto { tcp, udp } th ${port} ${DNS_PORT}`];
  if (party === 'cloud') return [`${link} "lab" meta l4proto { tcp, udp } th ${port} != ${DNS_PORT}`];
  const number = numberOf(party);
  return number === undefined ? [] : [`${link} { "p${number}", "v${number}" }`];
}
