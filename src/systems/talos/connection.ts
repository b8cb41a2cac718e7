import { isIP } from 'node:net';
import tls from 'node:tls';
import type { Interceptor, Transport } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import { HeardSessions } from '../../base/sessions.ts';
import type { Redacted } from '../../base/redacted.ts';
import { USER_AGENT } from '../user-agent.ts';
import type { CallFacts } from './errors.ts';
import { opensslKey } from './keys.ts';

export interface TalosConnectionOptions {
  /** The node's own address or name, without port. */
  readonly address: string;
  /** Default 50000. */
  readonly port?: number;
  /** PEM: the authority of Talos' API, not the one of Kubernetes. */
  readonly ca: string;
  /** PEM; left out only to look at a node that has no configuration yet. */
  readonly crt?: string;
  readonly key?: Redacted;
  /** Longest wait for one call, connecting included. Default 10 s. */
  readonly timeoutMs?: number;
}

/** Talos allows messages of this size; gRPC libraries stop at 4 MiB by themselves. */
const LARGEST_MESSAGE = 32 * 1024 * 1024;
/** A node that died while a stream is open says nothing: pings end it after two of these. */
const PING_MS = 5_000;

export interface TalosConnection {
  readonly transport: Transport;
  facts(timeoutMs: number | undefined): CallFacts;
  /** Drops a connection that is still being made, so that the next call dials anew instead of waiting for the same silence. */
  forgetUnfinished(): void;
  close(): void;
}

/** One lazily made HTTP/2 connection with mutual TLS to one node; it is made again when it breaks. */
export function connectTalos(options: TalosConnectionOptions): TalosConnection {
  const { address, port = 50_000 } = options;
  const authority = isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
  const state = { secured: false, answered: false };
  let latest: tls.TLSSocket | undefined;
  // The session manager lets go of a connection that is still being made, but does not end it: a dead address would hold the process.
  const dropUnfinished = (): void => {
    if (!state.secured) latest?.destroy();
  };

  const createConnection = (): tls.TLSSocket => {
    state.secured = false;
    state.answered = false;
    const socket = tls.connect({
      host: address,
      port,
      // A server name must be a name: no SNI for addresses.
      ...(isIP(address) === 0 ? { servername: address } : {}),
      // In a list, because an empty text alone would mean the public authorities.
      ca: [options.ca],
      ...(options.crt === undefined ? {} : { cert: options.crt }),
      ...(options.key === undefined ? {} : { key: opensslKey(options.key.reveal()) }),
      minVersion: 'TLSv1.2',
      // Said outright, because an environment variable can switch it off otherwise.
      rejectUnauthorized: true,
      ALPNProtocols: ['h2'],
    });
    socket.once('secureConnect', () => {
      state.secured = true;
    });
    latest = socket;
    return socket;
  };

  const sessionManager = new HeardSessions(
    `https://${authority}`,
    { pingIntervalMs: PING_MS, pingTimeoutMs: PING_MS },
    { createConnection },
  );
  const named: Interceptor = (next) => async (request) => {
    request.header.set('user-agent', USER_AGENT);
    const response = await next(request);
    state.answered = true;
    return response;
  };
  return {
    transport: createGrpcTransport({
      baseUrl: `https://${authority}`,
      sessionManager,
      interceptors: [named],
      readMaxBytes: LARGEST_MESSAGE,
      writeMaxBytes: LARGEST_MESSAGE,
    }),
    facts: (timeoutMs) => ({
      address,
      timeoutMs,
      crt: options.crt,
      ...state,
    }),
    forgetUnfinished: () => {
      if (!state.secured) sessionManager.abort(new Error('the connection was not made in time'));
      dropUnfinished();
    },
    close: () => {
      sessionManager.abort();
      dropUnfinished();
    },
  };
}
