import { constants, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Stream } from 'node:http2';
import type { connectNodeAdapter } from '@connectrpc/connect-node';
import type { Machine } from '../machine.ts';
import { rolesOf, targetsOf } from './context.ts';
import { fanOut } from './proxy/fan-out.ts';
import { dial, failureOf, onwardHeaders, targetOf, type Target } from './proxy/onward.ts';
import { isStreaming } from './services.ts';

type Handler = ReturnType<typeof connectNodeAdapter>;
type Request = Parameters<Handler>[0];
type Response = Parameters<Handler>[1];

/** Services whose calls may go to several nodes at once. */
const SEVERAL = ['machine.MachineService', 'cluster.ClusterService', 'inspect.InspectService'].concat(
  'storage.StorageService',
  'time.TimeService',
);

/**
 * Passes a call on to the node that its `node` metadata names, or to all that `nodes` names, as apid on a control plane
 * does: plain bytes, a certificate that may speak for others, the caller's roles in a header. A worker passes nothing on.
 */
export function createForwarder(machine: Machine): (request: Request, response: Response) => boolean {
  return (request, response) => {
    if (!('stream' in response) || response.stream === undefined) return false;
    const { stream } = response;
    const { headers } = request;
    // What another node has passed on is meant for this one.
    if (headers['proxyfrom'] !== undefined) return false;
    const { node, nodes } = targetsOf(headers);
    if (node.length === 0 && nodes.length === 0) return false;
    if (node.length > 1) return refused(stream, 3, 'node metadata must be single-valued');
    const single = node[0];
    const names = nodes.length > 0 ? nodes : single === undefined ? [] : [single];
    if (machine.role === 'worker') {
      // Up to Talos 1.11 not even a call for the worker itself.
      const mine = names.length === 1 && names.every((name) => targetOf(machine, name).own);
      if (mine && !machine.ports.version.startsWith('v1.11.')) return false;
      return refused(stream, 7, 'no request forwarding');
    }
    const path = request.url ?? '/';
    const targets = names.map((name) => targetOf(machine, name));
    if (nodes.length > 0) {
      const service = path.slice(1, path.lastIndexOf('/'));
      if (!SEVERAL.includes(service)) {
        return refused(stream, 3, `one-2-many proxying is not supported for method ${path}`);
      }
      void several(machine, request, response as unknown as Http2ServerResponse, targets).catch(() =>
        stream.close(constants.NGHTTP2_INTERNAL_ERROR),
      );
      return true;
    }
    const target = targets[0];
    if (target === undefined || target.own) return false;
    void pass(machine, request, response as unknown as Http2ServerResponse, target).catch((error: unknown) => {
      const { code, text } = failureOf(error);
      refuse(stream, code, text);
    });
    return true;
  };
}

async function several(
  machine: Machine,
  request: Request,
  response: Http2ServerResponse,
  targets: readonly Target[],
): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request as Http2ServerRequest) chunks.push(chunk as Uint8Array);
  const path = request.url ?? '/';
  const call = {
    headers: request.headers,
    path,
    roles: rolesOf(request.socket),
    body: Buffer.concat(chunks),
    streaming: isStreaming(path),
  };
  await fanOut(machine, call, targets, response);
}

async function pass(machine: Machine, request: Request, response: Http2ServerResponse, target: Target): Promise<void> {
  const { stream } = response;
  const session = await dial(machine, target);
  if (stream.destroyed) {
    session.close();
    return;
  }
  const onward = session.request(onwardHeaders(machine, request.headers, request.url ?? '/', rolesOf(request.socket)));
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

function refused(stream: ServerHttp2Stream, code: number, text: string): true {
  refuse(stream, code, text);
  return true;
}

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
