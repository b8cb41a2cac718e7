import { isIP, type LookupFunction } from 'node:net';
import tls from 'node:tls';
import type { KubeContext } from '../systems/kubernetes/types.ts';

/** Where to connect, and whom to expect there. */
export interface Dial {
  /** Host name or IP address to connect to, without brackets. */
  readonly host: string;
  readonly port: number;
  /** The name or IP address that the server's certificate must cover. */
  readonly identity: string;
  readonly secure: tls.SecureContext;
  /** `host:port` of the URL, for the Host header. */
  readonly authority: string;
  /** Bearer credentials, when the context has a token. */
  readonly authorization: string | undefined;
  readonly lookup: LookupFunction | undefined;
}

export interface DialTarget extends Pick<KubeContext, 'server' | 'ca'> {
  readonly tlsServerName?: KubeContext['tlsServerName'];
  readonly auth?: KubeContext['auth'];
  readonly lookup?: KubeContext['lookup'];
}

export interface DialOptions {
  /** Connect here (`host` or `host:port`) instead of to the server's own host; the identity stays the server's. */
  readonly address?: string;
  /** The name or address that the certificate must cover. Default: the context's tls-server-name, else the server's host. */
  readonly verifyAs?: string;
}

/** Prepares connections to a server: its credentials are parsed once, not at every handshake. */
export function dialOf(target: DialTarget, options: DialOptions = {}): Dial {
  const url = new URL(target.server);
  const host = bare(url.hostname);
  const port = url.port === '' ? 443 : Number(url.port);
  const to = options.address === undefined ? { host, port } : hostPort(options.address, port);
  const { auth } = target;
  return {
    ...to,
    identity: options.verifyAs ?? target.tlsServerName ?? host,
    secure: tls.createSecureContext({
      // In a list, because an empty text alone would mean the public authorities.
      ca: [target.ca],
      minVersion: 'TLSv1.2',
      ...(auth?.kind === 'certificate' ? { cert: auth.cert, key: auth.key.reveal() } : {}),
    }),
    authority: url.host,
    authorization: auth?.kind === 'token' ? `Bearer ${auth.token.reveal()}` : undefined,
    lookup: target.lookup,
  };
}

/** TLS options for one new connection: never resumed, always verified, SNI only for names. */
export const tlsOptions = (dial: Dial, protocols: readonly string[]): tls.ConnectionOptions => ({
  host: dial.host,
  port: dial.port,
  secureContext: dial.secure,
  ...(dial.lookup === undefined ? {} : { lookup: dial.lookup }),
  minVersion: 'TLSv1.2',
  rejectUnauthorized: true,
  ALPNProtocols: [...protocols],
  // An empty name is how Node is told to send none; it must not be an address (RFC 6066).
  servername: isIP(dial.identity) === 0 ? dial.identity : '',
  checkServerIdentity: (_host, certificate) => tls.checkServerIdentity(dial.identity, certificate),
});

/** `host`, `host:port`, `[v6]:port` or a bare IPv6 address. */
export function hostPort(text: string, defaultPort: number): { host: string; port: number } {
  if (isIP(text) === 6) return { host: text, port: defaultPort };
  const match = /^(\[[^\]]+\]|[^:]+)(?::(\d{1,5}))?$/.exec(text);
  if (match?.[1] === undefined) throw new TypeError(`not an address: ${text}`);
  return { host: bare(match[1]), port: match[2] === undefined ? defaultPort : Number(match[2]) };
}

const bare = (host: string): string => host.replace(/^\[|\]$/g, '');
