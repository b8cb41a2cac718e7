import type { Fabric } from '../fabric/types.ts';

/** Where the cloud's API listens, and what clients are told. */
export interface CloudFront {
  readonly address: string;
  /** http://address:port/v1, as the world knows it. */
  readonly url: string;
  /** The lab's own way to it, which no fault of the network is on. */
  readonly ownUrl: string;
  /** From now on its connections pass the network. */
  open(): Promise<void>;
}

/**
 * Puts the API behind the network, as the party `cloud`, so that it can be cut off from nodes and clients. A fabric whose
 * kernel routes packets needs nobody in between.
 */
export function cloudFront(fabric: Fabric, address: string, port: number): CloudFront {
  const url = `http://${address}:${port}/v1`;
  if (fabric.kind !== 'loopback') return { address, url, ownUrl: url, open: async () => {} };
  const host = fabric.addHost('cloud');
  return {
    address: host.hidden,
    url,
    ownUrl: `http://${host.hidden}:${port}/v1`,
    async open() {
      await host.claim(address);
      await host.open(port);
      await fabric.route(address, host);
    },
  };
}
