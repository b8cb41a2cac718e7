import type { Evidence, EvidenceOutage } from './evidence.ts';

/** The words of an outage report, the same in the terminal and on the page. */

export const PATHS = {
  readNewConnection: 'read, new connection',
  readKeptConnection: 'read, kept connection',
  write: 'write',
  token: 'token',
} as const;

export function causeText(cause: EvidenceOutage['cause']): string {
  switch (cause.kind) {
    case 'none':
      return 'nothing failed: the longest pause between two answers';
    case 'api-server-restart':
      return `the API server of ${cause.node} restarted`;
    case 'address-moved':
      return 'the address moved';
    case 'no-etcd-leader':
      return 'no etcd leader: every API server failed at once';
    case 'everything-at-once':
      return 'everything failed at once: the network from here, or this machine was too busy';
    case 'unknown':
      return 'unknown';
  }
}

export const failuresText = (failures: EvidenceOutage['failures']): string =>
  failures.map(({ error, count }) => `${count} × ${error}`).join(', ');

/** Of each target the longest time in which something failed, in whatever way; where nothing failed, its longest pause. */
export function worstOf(evidence: Evidence): readonly EvidenceOutage[] {
  const worst = new Map<string, EvidenceOutage>();
  const weight = (outage: EvidenceOutage): number => (outage.failures.length > 0 ? 1e12 : 0) + outage.ms;
  for (const outage of evidence.outages ?? []) {
    const other = worst.get(outage.target);
    if (other === undefined || weight(outage) > weight(other)) worst.set(outage.target, outage);
  }
  return [...worst.values()].toSorted((a, b) => byTarget(a.target, b.target));
}

/** Text into HTML. Whatever the outside said is shown and never obeyed. */
export const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const rank = (target: string): number => (target === 'endpoint' ? 0 : target === 'old-endpoint' ? 1 : 2);

/** The endpoint first, then the one before it, then the nodes by name. */
export const byTarget = (a: string, b: string): number => rank(a) - rank(b) || a.localeCompare(b, 'en');
