import { HOST_PORTS } from '../ports.ts';
import type { HostCondition } from '../types.ts';
import { PRIVATE_RANGE } from './addresses.ts';

/** Where a hung machine's connections end: a listener of the lab that accepts and never says a word. */
export const HANG_PORT = 9;

export interface MachineFacts {
  readonly hidden: string;
  readonly condition: HostCondition;
  readonly claimed: ReadonlySet<string>;
  /** How often it was switched on: connections of an earlier run are unknown to this one. */
  readonly run: number;
  readonly open: ReadonlySet<number>;
}

const setOf = (members: Iterable<string | number>): string => `{ ${[...members].join(', ')} }`;

/**
 * nftables of one machine: connections to one of its own addresses, on a port that a process has opened, are led to the
 * process at the hidden address; all that processes send leaves with the machine's own addresses. Everything else is the
 * kernel's: a port nobody opened is refused by it, an address the machine does not have is not answered.
 * Replaces what was there in one transaction, so that there is no moment in between.
 */
export function machineRules(facts: MachineFacts): string {
  const { hidden, condition, open, claimed, run } = facts;
  const hung = condition === 'hung';
  const ports = hung ? new Set([...HOST_PORTS, ...open]) : condition === 'refusing' ? new Set<number>() : open;
  const target = hung ? `${hidden}:${HANG_PORT}` : hidden;
  const lead = ports.size === 0 ? '' : `fib daddr type local tcp dport ${setOf(ports)} dnat to ${target}`;
  // Connections through an address the machine no longer has fall silent, though it would still know them.
  const own = `ct original ip daddr ${setOf([...claimed, '127.0.0.0/8'])}`;
  const passing = {
    up: [`oifname "lab0" ${own} accept`, `iifname "lab0" ct direction reply ${own} accept`, originated],
    // Packets while it is off have no link to come over; the rules are those of a machine that is up.
    off: [`oifname "lab0" ${own} accept`, `iifname "lab0" ct direction reply ${own} accept`, originated],
    hung: [
      `oifname "lab0" tcp dport ${HANG_PORT} ${own} accept`,
      `iifname "lab0" ct direction reply tcp sport ${HANG_PORT} ${own} accept`,
      originated,
    ],
    refusing: [
      'oifname "lab0" meta l4proto tcp reject with tcp reset',
      'iifname "lab0" meta l4proto tcp reject with tcp reset',
    ],
  }[condition];
  return `table ip lab
delete table ip lab
table ip lab {
  chain arriving {
    type filter hook prerouting priority mangle; policy accept;
    ct state new ct mark set ${run}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ${lead === '' ? '' : `iifname != "lab0" ${lead}`}
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ${lead}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname "lab0" masquerade
    oifname "lab0" ip saddr 127.0.0.0/8 masquerade
  }
  chain forwarding {
    type filter hook forward priority filter; policy drop;
    oifname "lab0" ct mark != ${run} meta l4proto tcp reject with tcp reset
    iifname "lab0" ct mark != ${run} drop
    ${passing.join('\n    ')}
  }
}
`;
}

/** What the machine's processes begin themselves, and the answers to it. */
const originated = `ct direction original iifname "lab0" accept
    ct direction reply oifname "lab0" accept`;

/**
 * nftables of the router. A cloud does not tell senders that a machine is off: their packets vanish. The private network
 * is reached over private links only (and by the lab's own process, which stands in for the machines' processes).
 */
export const ROUTER_RULES = `table ip lab {
  chain output {
    type filter hook output priority filter; policy accept;
    icmp type destination-unreachable icmp code host-unreachable drop
  }
  chain forwarding {
    type filter hook forward priority filter; policy accept;
    iifname { "client", "p*" } ip daddr ${PRIVATE_RANGE} drop
    iifname "v*" ip daddr != ${PRIVATE_RANGE} drop
  }
}
`;
