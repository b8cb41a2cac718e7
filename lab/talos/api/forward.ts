import { connect as connectHttp2, constants, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { connectNodeAdapter } from '@connectrpc/connect-node';
import { issueLeaf } from '../control-plane/certificates.ts';
import type { Machine } from '../machine.ts';
import { rolesOf, targetsOf } from './context.ts';
import { TALOS_API_PORT } from './ports.ts';

type Handler = ReturnType<typeof connectNodeAdapter>;
type Request = Parameters<Handler>[0];
type Response = Parameters<Handler>[1];

/** Header by which a control plane tells another whose call it passes on; honoured only from such a certificate. */
export const ROLE_HEADER = 'talos-role';

/**
 * Passes a call on to the node that its `node` metadata names, as apid on a control plane does: plain bytes, a
 * certificate that may speak for others, the caller's roles in a header. A worker passes nothing on.
 */
export function createForwarder(machine: Machine): (request: Request, response: Response) => boolean {
  return (request, response) => {
    if (!('stream' in response) || response.stream === undefined) return false;
    const { stream } = response;
    const { node, nodes } = targetsOf(request.headers);
    if (node === undefined && nodes.length === 0) return false;
    const target = node ?? nodes[0] ?? '';
    if (nodes.length > 1 && node === undefined) {
      refuse(stream, 12, 'several nodes in one call: not built in this lab');
      return true;
    }
    if (isOwn(machine, target)) return false;
    if (machine.role === 'worker') {
      refuse(stream, 7, 'no request forwarding');
      return true;
    }
    if (target.includes(':') || target === '') {
      refuse(stream, 3, `invalid target ${JSON.stringify(target)}`);
      return true;
    }
    void pass(machine, request, response as unknown as Http2ServerResponse, target).catch((error: unknown) => {
      refuse(stream, 14, `connection error: desc = "${error instanceof Error ? error.message : String(error)}"`);
    });
    return true;
  };
}

function isOwn(machine: Machine, target: string): boolean {
  const { facts, claims } = machine;
  return [facts.hostname, facts.publicIPv4, facts.privateIPv4, ...claims.keys()].includes(target);
}

async function pass(machine: Machine, request: Request, response: Http2ServerResponse, target: string): Promise<void> {
  const { stream } = response;
  const { clock, peers, host } = machine.ports;
  const derived = machine.active?.derived;
  if (derived === undefined) throw new Error('no configuration');
  const pair = await issueLeaf(clock, derived.pki.machineCA, {
    commonName: machine.facts.hostname,
    organizations: ['os:impersonator'],
    usages: ['clientAuth'],
  });
  const address = peers().find((peer) => peer.name === target)?.privateIPv4 ?? target;
  // Goes to tls.connect, though the types of http2 do not say so.
  const from = { localAddress: host.hidden };
  const session = connectHttp2(`https://${address}:${TALOS_API_PORT}`, {
    ...pair,
    ca: derived.pki.machineCA.crt,
    ...from,
  });
  const headers: Record<string, string | string[] | undefined> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (name.startsWith(':') || name === 'node' || name === 'nodes' || name === ROLE_HEADER) continue;
    headers[name] = value;
  }
  const onward = session.request({
    ...headers,
    ':method': 'POST',
    ':path': request.url ?? '/',
    te: 'trailers',
    proxyfrom: machine.facts.hostname,
    [ROLE_HEADER]: rolesOf(request.socket).join(','),
  });
  let answered = false;
  const fail = (error: Error): void => {
    if (answered) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else refuse(stream, 14, `connection error: desc = "transport: ${error.message}"`);
    answered = true;
    session.destroy();
  };
  session.on('error', fail);
  onward.on('error', fail);
  stream.on('close', () => {
    onward.close();
    session.close();
  });
  stream.pipe(onward);
  onward.on('response', (answer, flags) => {
    answered = true;
    const endStream = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const plain = Object.fromEntries(Object.entries(answer).filter(([name]) => name !== 'date'));
    if (endStream) {
      stream.respond(plain, { endStream: true });
      return;
    }
    response.writeHead(answer[':status'] ?? 200, stringsOf(answer));
    // The response's own object sends them: the stream below it takes trailers only once.
    onward.on('trailers', (received) => response.addTrailers(stringsOf(received)));
    onward.pipe(response);
  });
}

const stringsOf = (headers: Readonly<Record<string, unknown>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      typeof value === 'string' && !name.startsWith(':') && name !== 'date' ? [[name, value]] : [],
    ),
  );

/** A gRPC status as trailers alone. */
export function refuse(stream: ServerHttp2Stream, code: number, text: string): void {
  if (stream.headersSent || stream.destroyed) return;
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(code),
      'grpc-message': encodeURIComponent(text).replaceAll('%20', ' '),
    },
    { endStream: true },
  );
}
