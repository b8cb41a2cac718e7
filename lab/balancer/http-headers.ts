import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders } from 'node:http';

/** Headers that speak of one connection only (RFC 9110), and are never passed on. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What of a message is passed on; `Connection` may name more that is not. */
export function passedOn(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const named = new Set((headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.has(name) && !named.has(name)));
}

/** What a target is told of the client: its address behind those that are there already, and how it came. */
export function forwarded(
  request: IncomingMessage,
  way: { readonly protocol: 'http' | 'https'; readonly port: number },
): OutgoingHttpHeaders {
  const before = request.headers['x-forwarded-for'];
  const client = request.socket.remoteAddress ?? '';
  return {
    'x-forwarded-for': before === undefined ? client : `${String(before)}, ${client}`,
    'x-forwarded-proto': way.protocol,
    'x-forwarded-port': String(way.port),
  };
}

/** The value of one cookie of a request. */
export function cookieOf(request: IncomingMessage, name: string): string | undefined {
  for (const part of (request.headers.cookie ?? '').split(';')) {
    const [key = '', ...value] = part.split('=');
    if (key.trim() === name) return value.join('=').trim();
  }
  return undefined;
}

/** How a sticky session names its target: not by anything that says who it is. */
export const markOf = (target: string): string => createHash('sha256').update(target).digest('hex').slice(0, 32);

/** Where a request over HTTP is sent by a service that redirects. */
export function secureLocation(request: IncomingMessage, port: number): string {
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  return `https://${host}${port === 443 ? '' : `:${port}`}${request.url ?? '/'}`;
}
