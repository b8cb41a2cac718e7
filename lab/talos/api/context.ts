import type { IncomingHttpHeaders } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import { createContextKey, type ContextValues } from '@connectrpc/connect';

/** Header by which a control plane tells another whose call it passes on; honoured only from such a certificate. */
export const ROLE_HEADER = 'talos-role';

/** Roles of the caller, from its certificate. */
export const rolesKey = createContextKey<readonly string[]>([], { description: 'roles of the caller' });

/** The Organization entries of a client's certificate. */
export function rolesOf(socket: unknown): readonly string[] {
  const subject = (socket as Partial<TLSSocket>).getPeerCertificate?.().subject as
    | { readonly O?: string | readonly string[] }
    | undefined;
  const organizations = subject?.O ?? [];
  return typeof organizations === 'string' ? [organizations] : organizations;
}

/** Roles that count: those of the caller on whose behalf another control plane speaks, else the certificate's. */
export function effectiveRoles(socket: unknown, headers: IncomingHttpHeaders): readonly string[] {
  const own = rolesOf(socket);
  const spoken = headers[ROLE_HEADER];
  if (!own.includes('os:impersonator') || typeof spoken !== 'string') return own;
  return spoken.split(',').filter((role) => role !== '');
}

export const rolesIn = (values: ContextValues): readonly string[] => values.get(rolesKey);

/** Who calls, as the audit names it: a client that cannot set its user agent sends `x-user-agent`. */
export function userAgentOf(headers: Headers): string | undefined {
  return headers.get('x-user-agent') ?? headers.get('user-agent') ?? undefined;
}

/** `node` (one target) or `nodes` (several, joined by commas): whom the caller means. */
export function targetsOf(headers: IncomingHttpHeaders): {
  readonly node: readonly string[];
  readonly nodes: readonly string[];
} {
  const list = (name: string): string[] => {
    const value = headers[name];
    return (Array.isArray(value) ? value.join(',') : (value ?? ''))
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  };
  return { node: list('node'), nodes: list('nodes') };
}
