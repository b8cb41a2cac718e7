import {
  connect as connectHttp2,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import { isIP } from 'node:net';
import { textOf } from '../../../../src/base/failure.ts';
import { issueLeaf } from '../../control-plane/certificates.ts';
import type { Machine } from '../../machine.ts';
import { ROLE_HEADER } from '../context.ts';
import { SESSION_MEMORY_MB, TALOS_API_PORT } from '../ports.ts';
import type { NodeFailure } from './merge.ts';

/** A node that a call goes on to. */
export interface Target {
  /** As the caller named it. */
  readonly name: string;
  readonly address: string;
  readonly own: boolean;
}

/** Talos gives the connection to another node this long. */
const DIAL_MS = 20_000;
/** A computer that is busy with a whole lab needs this long for a handshake now and then. */
const DIAL_LEAST_MS = 3_000;

/** The machine's own names and addresses, and what it may be reached by. */
export function targetOf(machine: Machine, name: string): Target {
  const { facts, claims, ports } = machine;
  const own = [facts.hostname, facts.publicIPv4, facts.privateIPv4, facts.publicIPv6, ...claims.keys()].includes(name);
  if (own) return { name, address: ports.host.hidden, own };
  return { name, address: ports.peers().find((peer) => peer.name === name)?.privateIPv4 ?? name, own };
}

/** A connection to a node, as one who may speak for others. Throws `NodeUnreachable`. */
export async function dial(machine: Machine, target: Target): Promise<ClientHttp2Session> {
  const { clock, host } = machine.ports;
  const authority = machine.active?.derived.pki.machineCA;
  if (authority === undefined) throw new NodeUnreachable('no configuration');
  if (isIP(target.address) === 0) {
    throw new NodeUnreachable(`error dialing ${target.address}: lookup ${target.address}: no such host`);
  }
  const pair = await issueLeaf(clock, authority, {
    commonName: machine.facts.hostname,
    organizations: ['os:impersonator'],
    usages: ['clientAuth'],
  });
  // Goes to tls.connect, though the types of http2 do not say so.
  const from = { localAddress: host.hidden };
  const session = connectHttp2(`https://${target.address}:${TALOS_API_PORT}`, {
    ...pair,
    ca: authority.crt,
    // What listens behind the fabric is this machine itself, under an address that no certificate names.
    ...(target.own ? { checkServerIdentity: () => undefined } : {}),
    maxSessionMemory: SESSION_MEMORY_MB,
    ...from,
  });
  const bound = new AbortController();
  try {
    await Promise.race([
      new Promise<void>((resolve, reject) => {
        session.once('connect', () => resolve());
        session.once('error', (error: NodeJS.ErrnoException) =>
          reject(new NodeUnreachable(dialing(target, GO_WORDS[error.code ?? ''] ?? textOf(error)))),
        );
      }),
      clock.sleep(Math.max(DIAL_LEAST_MS, DIAL_MS / machine.ports.speed), bound.signal).then(() => {
        throw new NodeUnreachable(dialing(target, 'i/o timeout'));
      }),
    ]);
  } catch (error) {
    session.destroy();
    throw error;
  } finally {
    bound.abort();
  }
  session.on('error', () => {});
  return session;
}

const dialing = ({ address }: Target, why: string): string =>
  `connection error: desc = "transport: Error while dialing: dial tcp ${address}:${TALOS_API_PORT}: ${why}"`;

const GO_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'i/o timeout',
};

export class NodeUnreachable extends Error {
  override readonly name = 'NodeUnreachable';
}

/** The status that a failed connection or a broken stream comes to. */
export const failureOf = (error: unknown): NodeFailure =>
  error instanceof StatusError ? { code: error.code, text: error.message } : { code: 14, text: textOf(error) };

/** What another node ended the call with. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;
  constructor(code: number, text: string) {
    super(text);
    this.code = code;
  }
}

/** The headers of a call that goes on: the caller's, its roles beside them, without whom it is meant for. */
export function onwardHeaders(
  machine: Machine,
  headers: IncomingHttpHeaders,
  path: string,
  roles: readonly string[],
): OutgoingHttpHeaders {
  const kept = Object.entries(headers).filter(
    ([name]) => !name.startsWith(':') && !['node', 'nodes', ROLE_HEADER, 'grpc-accept-encoding'].includes(name),
  );
  return {
    ...Object.fromEntries(kept),
    ':method': 'POST',
    ':path': path,
    te: 'trailers',
    proxyfrom: machine.facts.hostname,
    [ROLE_HEADER]: roles.join(','),
  };
}

/** The status that headers or trailers carry; undefined where they carry none. */
export function statusOf(headers: IncomingHttpHeaders): NodeFailure | undefined {
  const code = headers['grpc-status'];
  if (typeof code !== 'string') return undefined;
  const text = headers['grpc-message'];
  return { code: Number(code), text: typeof text === 'string' ? decoded(text) : '' };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
