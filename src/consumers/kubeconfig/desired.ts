import type { KubeconfigContent } from '../../model/observation.ts';

/** A client certificate that ends sooner is renewed; certificates of Talos live a year. */
export const RENEW_BEFORE_MS = 14 * 24 * 3600 * 1000;

export type KubeconfigStanding = { readonly kind: 'right' } | { readonly kind: 'stale'; readonly why: string };

/** Whether a kubeconfig has to be fetched anew. Each fetch mints an administrator's certificate, so only where it must be. */
export function kubeconfigStanding(entry: KubeconfigContent['entry'], wantedUrl: string, at: Date): KubeconfigStanding {
  if (entry === undefined) return { kind: 'stale', why: 'It has no context of this cluster.' };
  if (entry.server !== wantedUrl)
    return { kind: 'stale', why: `It leads to ${entry.server}, which is not the endpoint.` };
  if (entry.problem !== undefined) return { kind: 'stale', why: `Its credentials cannot be used: ${entry.problem}.` };
  const { certificateNotAfter: end } = entry;
  if (end !== undefined && Date.parse(end) - at.getTime() <= RENEW_BEFORE_MS) {
    return { kind: 'stale', why: `Its client certificate ends at ${end}.` };
  }
  return { kind: 'right' };
}
