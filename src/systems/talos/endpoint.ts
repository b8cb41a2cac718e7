import { isIP } from 'node:net';

export interface TalosEndpoint {
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
}

export const TALOS_PORT = 50_000;

/**
 * The forms in which a talosconfig names an endpoint: `host`, `host:port`, a bare or bracketed IPv6 address, or an https
 * URL (then the port is 443 unless it says otherwise). Undefined for anything else.
 */
export function parseEndpoint(text: string): TalosEndpoint | undefined {
  if (text.includes('://')) return fromUrl(text);
  if (isIP(text) !== 0) return { host: text, port: TALOS_PORT };
  const match = /^(?:\[([^\]]+)\]|([^\s:[\]/?#@]+))(?::(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const [, bracketed, plain, portText] = match;
  const host = bracketed ?? plain;
  const port = portText === undefined ? TALOS_PORT : Number(portText);
  if (host === undefined || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  return { host, port };
}

function fromUrl(text: string): TalosEndpoint | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.protocol !== 'https:' || url.hostname === '' || url.username !== '') return undefined;
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 443 : Number(url.port) };
}
