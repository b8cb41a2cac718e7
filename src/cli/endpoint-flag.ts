import { isIPv6 } from 'node:net';
import { endpointUrl, parseEndpoint } from '../model/endpoint.ts';

const PORT = 6443;

/** `https://host:port`, or a host, or `host:port`; gives the form in which an endpoint is written down everywhere. */
export function endpointFlag(text: string): string {
  const wrong = new SyntaxError(`${text} is no endpoint; write https://host:${PORT}`);
  const url = text.includes('://') ? text : `https://${isIPv6(text) ? `[${text}]` : text}`;
  const place = parseEndpoint(url);
  if (place === undefined || place.host === '' || !url.startsWith('https://')) throw wrong;
  const { pathname, search, hash, username } = new URL(url);
  if (pathname !== '/' || `${search}${hash}${username}` !== '') throw wrong;
  // Without a port URL means 443; an API server of Talos is at 6443.
  return endpointUrl(place.host, /:\d+\/?$/.test(url) ? place.port : PORT);
}
