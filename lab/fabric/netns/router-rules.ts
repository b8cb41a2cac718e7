import { Failure } from '../../../src/base/failure.ts';
import type { Disturbance, FirewallRule, Party } from '../types.ts';
import { PRIVATE_RANGE } from './addresses.ts';
import { firewallChains, firewallJumps } from './firewall-rules.ts';

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
): string {
  return `table inet lab
delete table inet lab
table inet lab {
${[...firewalls].map(([number, rules]) => firewallChains(number, rules)).join('')}  chain output {
    type filter hook output priority filter; policy accept;
    icmp type destination-unreachable icmp code host-unreachable drop
    icmpv6 type destination-unreachable drop
  }
  chain forwarding {
    type filter hook forward priority filter; policy accept;
    iifname { "client", "p*" } ip daddr ${PRIVATE_RANGE} drop
    iifname "v*" ip daddr != ${PRIVATE_RANGE} drop
    ${disturbances.flatMap((one) => dropsOf(one, numberOf)).join('\n    ')}
    ${[...firewalls.keys()].flatMap(firewallJumps).join('\n    ')}
  }
}
`;
}

function dropsOf(one: Disturbance, numberOf: (name: string) => number | undefined): string[] {
  const matches = (from: Party, to: Party): string[] =>
    side(from, 'i', numberOf).flatMap((a) => side(to, 'o', numberOf).map((b) => `${a} ${b}`));
  switch (one.kind) {
    case 'firewall':
      return side(one.node, 'o', numberOf).flatMap((to) => {
        const port = one.port === undefined ? 'meta l4proto tcp' : `tcp dport ${one.port}`;
        const what = `${to} ${port} tcp flags & (syn | ack) == syn drop`;
        return one.from === undefined ? [what] : side(one.from, 'i', numberOf).map((from) => `${from} ${what}`);
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
      throw new Failure({
        code: 'fault-not-here',
        what: 'Latency cannot be made on the netns fabric',
        why: 'the kernel part that holds packets back (netem) is not used here',
        state: 'Nothing was changed.',
        next: 'Use loss or partition, or a lab on the loopback fabric.',
      });
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
