/** The parts of an endpoint URL; undefined when it is none. */
export function parseEndpoint(url: string): { readonly host: string; readonly port: number } | undefined {
  if (!URL.canParse(url)) return undefined;
  const parsed = new URL(url);
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return undefined;
  const host = parsed.hostname.startsWith('[') ? parsed.hostname.slice(1, -1) : parsed.hostname;
  const port = parsed.port === '' ? (parsed.protocol === 'https:' ? 443 : 80) : Number(parsed.port);
  return { host, port };
}

/** The endpoint as it is written down everywhere: https and an explicit port (KubePrism takes 443 for a missing one). */
export const endpointUrl = (host: string, port: number): string =>
  host.includes(':') ? `https://[${host}]:${port}` : `https://${host}:${port}`;

/** Whether a name with these addresses leads to the one address, and to no other. */
export const leadsTo = (addresses: readonly string[], ip: string): boolean =>
  addresses.length > 0 && addresses.every((address) => address === ip);

export const isIPv4 = (text: string): boolean => /^\d{1,3}(\.\d{1,3}){3}$/.test(text);

/** Whether a served certificate's names cover a host: exact, or a wildcard of one label. */
export function covers(names: readonly string[], host: string): boolean {
  const lower = host.toLowerCase();
  return names.some((name) => {
    const n = name.toLowerCase();
    if (n === lower) return true;
    return (
      n.startsWith('*.') && !isIPv4(lower) && lower.slice(lower.indexOf('.') + 1) === n.slice(2) && lower.includes('.')
    );
  });
}
