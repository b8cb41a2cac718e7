import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../../../src/base/clock.ts';
import { textOf } from '../../../../src/base/failure.ts';
import type { ServerArguments } from '../arguments.ts';
import type { Freezer } from '../../freezer.ts';
import { within } from '../within.ts';
import type { Incoming } from './handler.ts';

export interface HttpsServer {
  /** Stops accepting, lets running requests finish for `graceMs`, closes what is left. */
  stop(graceMs: number): Promise<void>;
  /** Closes every socket at once. */
  kill(): Promise<void>;
}

export interface ServerPorts {
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly handle: (incoming: Incoming) => Promise<void>;
  readonly freezer: Freezer;
  /** The CA files have new content. */
  readonly onClientCas: (texts: { readonly client: string; readonly requestHeader: string }) => void;
}

/** How often the certificate files are looked at; kube-apiserver hears of changes at once. */
const LOOK_MS = 250;

interface Files {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: string;
  readonly requestHeaderCa: string;
}

async function readFiles(args: ServerArguments): Promise<Files> {
  const read = async (file: string | undefined): Promise<string> => (file === undefined ? '' : readFile(file, 'utf8'));
  const [cert, key, clientCa, requestHeaderCa] = await Promise.all([
    read(args.tlsCert),
    read(args.tlsKey),
    read(args.clientCa),
    read(args.requestHeader.ca),
  ]);
  return { cert, key, clientCa, requestHeaderCa };
}

/** Every certificate of a PEM text. */
export const certificatesOf = (pem: string): X509Certificate[] =>
  (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  );

const contextOf = (files: Files, args: ServerArguments): ServerOptions => ({
  cert: files.cert,
  key: files.key,
  // Only names for the client to choose a certificate by; whether one is good is decided for each request.
  ca: `${files.clientCa}\n${files.requestHeaderCa}`,
  minVersion: args.tls13Only ? 'TLSv1.3' : 'TLSv1.2',
});

/** Listens with TLS; resolves when it does. Certificate, key and CAs are taken anew when their files change. */
export async function listen(args: ServerArguments, ports: ServerPorts): Promise<HttpsServer> {
  let files = await readFiles(args);
  ports.onClientCas({ client: files.clientCa, requestHeader: files.requestHeaderCa });
  const server = createServer({
    ...contextOf(files, args),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
    keepAliveTimeout: 60_000,
    requestTimeout: 60_000,
  });
  ports.freezer.guard(server);
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  const running = new Set<Promise<void>>();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    const work = ports.freezer
      .pass()
      .then(() => ports.handle({ request, response, certificate: certificateOf(request) }));
    running.add(work);
    void work.finally(() => running.delete(work));
  });
  await listening(server, args);

  const closed = new AbortController();
  const watchFiles = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      await ports.clock.sleep(LOOK_MS, closed.signal).catch(() => {});
      if (closed.signal.aborted) return;
      try {
        const found = await readFiles(args);
        if (
          found.cert === files.cert &&
          found.key === files.key &&
          found.clientCa === files.clientCa &&
          found.requestHeaderCa === files.requestHeaderCa
        )
          continue;
        // Throws while the certificate is new and the key still old: the next look finds both.
        server.setSecureContext(contextOf(found, args));
        files = found;
        ports.onClientCas({ client: files.clientCa, requestHeader: files.requestHeaderCa });
        ports.log('certificate files have changed: reloaded');
      } catch (error) {
        ports.log(`certificate files cannot be used yet: ${textOf(error)}`);
      }
    }
  };
  void watchFiles();

  const close = async (): Promise<void> => {
    closed.abort();
    const done = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await done;
  };
  return {
    stop: async (graceMs) => {
      closed.abort();
      server.close();
      server.closeIdleConnections();
      await within(ports.clock, graceMs, Promise.allSettled(running));
      await close();
    },
    kill: close,
  };
}

function certificateOf(request: IncomingMessage): X509Certificate | undefined {
  return request.socket instanceof TLSSocket ? request.socket.getPeerX509Certificate() : undefined;
}

function listening(server: Server, args: ServerArguments): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(args.port, args.bindAddress, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}
