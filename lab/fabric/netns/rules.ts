import { HOST_PORTS, METADATA_PORT } from '../ports.ts';
import type { HostCondition, IngressPolicy } from '../types.ts';
import { isIPv6, LAB_ADDRESS, MACHINE_END } from './addresses.ts';
import { ingressLines } from './firewall-rules.ts';

/** Where a cloud's machine reads about itself. */
const METADATA = '169.254.169.254';

/** Where a hung machine's connections end: a listener of the lab that accepts and never says a word. */
export const HANG_PORT = 9;

export interface MachineFacts {
  readonly hidden: string;
  /** Where the lab listens for its IPv6; undefined = there is none. */
  readonly hidden6: string | undefined;
  readonly condition: HostCondition;
  readonly claimed: ReadonlySet<string>;
  /** What it lets in; undefined = everything. */
  readonly ingress: IngressPolicy | undefined;
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
  const { hidden, hidden6, condition, claimed, run, ingress } = facts;
  const hung = condition === 'hung';
  const ports = answeringPorts(facts);
  const target = hung ? `${hidden}:${HANG_PORT}` : hidden;
  const lead = ports.size === 0 ? '' : `fib daddr type local tcp dport ${setOf(ports)} dnat to ${target}`;
  // Connections through an address the machine no longer has fall silent, though it would still know them.
  const own = `ct original ip daddr ${setOf([...[...claimed].filter((address) => !isIPv6(address)), '127.0.0.0/8'])}`;
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
${ingress === undefined ? '' : `  chain ingress {\n    ${ingressLines(ingress, 'ip').join('\n    ')}\n  }\n`}  chain arriving {
    type filter hook prerouting priority mangle; policy accept;
    ct state new ct mark set ${run}
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ${lead}
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr ${METADATA} tcp dport 80 dnat to ${hidden}:${METADATA_PORT}
    ${lead}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname "lab0" oifname "lab0" snat to ${MACHINE_END}
    iifname "lab0" masquerade
    oifname "lab0" ip saddr 127.0.0.0/8 masquerade
  }
  chain forwarding {
    type filter hook forward priority filter; policy drop;
    oifname "lab0" ct mark != ${run} meta l4proto tcp reject with tcp reset
    iifname "lab0" ct mark != ${run} drop
    ${ingress === undefined ? '' : 'iifname "enp*" oifname "lab0" ct state new jump ingress'}
    ${passing.join('\n    ')}
  }
}
${hidden6 === undefined ? '' : machineRules6(facts, hidden6)}`;
}

const answeringPorts = ({ condition, open }: MachineFacts): ReadonlySet<number> =>
  condition === 'hung' ? new Set([...HOST_PORTS, ...open]) : condition === 'refusing' ? new Set() : open;

/**
 * The same for IPv6. What comes for an address that is not on a link of the machine falls silent before anything looks at
 * it. Processes have IPv4 alone: what arrives is handed to the lab, which passes it on; they begin nothing over IPv6.
 */
function machineRules6(facts: MachineFacts, hidden6: string): string {
  const { condition, run, ingress } = facts;
  const ports = answeringPorts(facts);
  const target = condition === 'hung' ? `[${hidden6}]:${HANG_PORT}` : hidden6;
  const lead = ports.size === 0 ? '' : `fib daddr type local tcp dport ${setOf(ports)} dnat to ${target}`;
  const sort = condition === 'hung' ? `tcp dport ${HANG_PORT} ` : '';
  const passing =
    condition === 'refusing'
      ? ['meta l4proto tcp reject with tcp reset']
      : [`oifname "lab0" ${sort}ct status dnat accept`, 'iifname "lab0" ct direction reply accept'];
  return `table ip6 lab
delete table ip6 lab
table ip6 lab {
${ingress === undefined ? '' : `  chain ingress {\n    ${ingressLines(ingress, 'ip6').join('\n    ')}\n  }\n`}  chain arriving {
    type filter hook prerouting priority mangle; policy accept;
    ct state new ct mark set ${run}
    iifname "enp*" fib daddr type unicast drop
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ${lead}
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ${lead}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "lab0" masquerade
  }
  chain forwarding {
    type filter hook forward priority filter; policy drop;
    oifname "lab0" ct mark != ${run} meta l4proto tcp reject with tcp reset
    iifname "lab0" ct mark != ${run} drop
    ${ingress === undefined ? '' : 'iifname "enp*" oifname "lab0" ct state new jump ingress'}
    ${passing.join('\n    ')}
  }
}
`;
}

/** What the machine's processes begin themselves, and the answers to it. */
const originated = `ct direction original iifname "lab0" accept
    ct direction reply oifname "lab0" accept`;

/** Groups of real child processes, by which their packets are known: this number and the machine's. */
export const FIRST_GROUP = 64_000;

/**
 * nftables of the namespace where the lab's processes live. A real etcd or API server cannot be told which address to send
 * from; its group says whose it is, and its packets leave through that machine, from its hidden address.
 */
export const LAB_RULES = `table ip lab {
  map groups { type gid : mark; }
  map senders { type mark : ipv4_addr; }
  chain output {
    type route hook output priority mangle; policy accept;
    meta mark set meta skgid map @groups
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    oifname "b*" ip saddr ${LAB_ADDRESS} snat to meta mark map @senders
  }
}
`;

/** One more machine's group and hidden address, for the rules above. */
export const senderRules = (group: number, hidden: string): string =>
  `add element ip lab groups { ${group} : ${group} }
add element ip lab senders { ${group} : ${hidden} }
`;
