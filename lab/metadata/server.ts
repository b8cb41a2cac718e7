import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Clock } from '../../src/base/clock.ts';
import { attribute, type Audit } from '../world/audit.ts';
import { metadataDocument } from './document.ts';
import type { MetadataFacts, MetadataService } from './types.ts';

/** What the metadata service does otherwise than Hetzner's, for `lab info`. */
export const METADATA_LIMITS: readonly string[] = [
  "A server's metadata service is not at 169.254.169.254 but at an address and port of its own (`metadata` of a node in `lab info`), where every program of this computer can read it.",
];

export interface MetadataOptions {
  readonly address: string;
  readonly port: number;
  readonly clock: Clock;
  readonly audit: Audit;
  /** As things are at the moment of the question. */
  readonly facts: () => MetadataFacts;
}

/** Serves the metadata of one server over HTTP; reads only. Rejects when the port is taken. */
export async function startMetadata(options: MetadataOptions): Promise<MetadataService> {
  const { address, port, clock, audit } = options;
  const server = createServer((request, response) => {
    const began = clock.now();
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const reads = request.method === 'GET' || request.method === 'HEAD';
    const answer = reads ? metadataDocument(options.facts(), path) : { status: 405, body: 'method not allowed' };
    response.writeHead(answer.status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(answer.body),
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
    audit.record({
      system: 'hetzner',
      method: request.method ?? 'GET',
      path,
      write: false,
      status: answer.status,
      ms: clock.now() - began,
      by: attribute(request.headers['user-agent']),
    });
  });
  server.listen({ host: address, port });
  await once(server, 'listening');
  return {
    url: `http://${address}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
