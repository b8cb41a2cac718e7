import type { Socket } from 'node:net';

export interface Endpoints {
  readonly source: { readonly address: string; readonly port: number };
  readonly destination: { readonly address: string; readonly port: number };
}

/** First bytes of version 2: they can begin no TLS, HTTP or SMTP conversation. */
const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

/**
 * What a proxy that speaks the PROXY protocol sends before the client's first byte (IPv4, TCP). A server that does not
 * expect it, as every API server and Talos, takes it for a broken TLS record.
 */
export function proxyHeader(version: 1 | 2, { source, destination }: Endpoints): Buffer {
  if (version === 1) {
    return Buffer.from(
      `PROXY TCP4 ${source.address} ${destination.address} ${source.port} ${destination.port}\r\n`,
      'latin1',
    );
  }
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  // 0x21: version 2, proxied; 0x11: TCP over IPv4; then the length of what follows.
  return Buffer.concat([
    SIGNATURE,
    Buffer.from([0x21, 0x11, 0, 12]),
    octets(source.address),
    octets(destination.address),
    ports,
  ]);
}

const octets = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

/** Of a client's connection, as the balancer sees it. */
export const endpointsOf = (client: Socket): Endpoints => ({
  source: { address: client.remoteAddress ?? '0.0.0.0', port: client.remotePort ?? 0 },
  destination: { address: client.localAddress ?? '0.0.0.0', port: client.localPort ?? 0 },
});
