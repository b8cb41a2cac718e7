/** The parts of a URL that Talos looks at. */
export interface EndpointUrl {
  /** The text as Go writes it back: verbatim but for a lower-case scheme. */
  readonly text: string;
  readonly scheme: string;
  /** Without brackets and port, letter case kept. */
  readonly hostname: string;
  /** As written; `''` when there is none. */
  readonly port: string;
}

/** Reads a URL as Go's net/url does; the message of a refusal is Go's. */
export function parseUrl(text: string): EndpointUrl | { readonly error: string } {
  const fail = (reason: string): { error: string } => ({ error: `parse ${JSON.stringify(text)}: ${reason}` });
  const [, scheme, afterScheme] = /^([A-Za-z][A-Za-z0-9+.-]*):([^]*)$/.exec(text) ?? [];
  if (scheme === undefined && text.startsWith(':')) return fail('missing protocol scheme');
  const rest = (afterScheme ?? text).replace(/[?#][^]*$/, '');
  const empty: EndpointUrl = { text, scheme: scheme?.toLowerCase() ?? '', hostname: '', port: '' };
  if (scheme === undefined && !rest.startsWith('/') && /^[^/]*:/.test(rest)) {
    return fail('first path segment in URL cannot contain colon');
  }
  if (!rest.startsWith('//')) return empty;
  const authority = rest.slice(2).replace(/\/[^]*$/, '');
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const bracket = host.lastIndexOf(']');
  if (host.startsWith('[') && bracket === -1) return fail("missing ']' in host");
  const colon = host.startsWith('[') ? bracket + 1 : host.lastIndexOf(':');
  const suffix = colon === -1 ? '' : host.slice(colon);
  if (!/^(:\d*)?$/.test(suffix)) return fail(`invalid port ${JSON.stringify(suffix)} after host`);
  const hostname = host.startsWith('[') ? host.slice(1, bracket) : host.slice(0, colon === -1 ? undefined : colon);
  const odd = /[\s"<>\\^`{|}]/.exec(hostname);
  if (odd !== null) return fail(`invalid character ${JSON.stringify(odd[0])} in host name`);
  return {
    ...empty,
    text: scheme === undefined ? text : `${scheme.toLowerCase()}:${afterScheme}`,
    hostname,
    port: suffix.slice(1),
  };
}

/** The rule for endpoints (siderolabs/net, ValidateEndpointURI); undefined when it holds. */
export function endpointProblem(text: string): string | undefined {
  const url = parseUrl(text);
  if ('error' in url) return url.error;
  if (url.hostname === '') return 'hostname must not be blank';
  if (url.port !== '' && (Number(url.port) < 1 || Number(url.port) > 65_535)) {
    return 'port number must be between 1 and 65535';
  }
  return undefined;
}

/** Host of an endpoint that was accepted; `''` when there is none. */
export function hostOf(text: string): string {
  const url = parseUrl(text);
  return 'error' in url ? '' : url.hostname;
}
