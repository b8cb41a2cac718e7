import type { HttpBindings } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import type { Context } from 'hono';
import type { Clock } from '../../src/base/clock.ts';
import type { CloudKnobs } from './knobs.ts';

/** What befalls one request. `over` aborts when the fault ends. */
export type RequestFault =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly code: string;
      readonly message: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'slow'; readonly ms: number; readonly over: AbortSignal }
  | { readonly kind: 'hang'; readonly over: AbortSignal }
  | { readonly kind: 'reset' }
  /** Carried out, then the connection is reset instead of an answer. */
  | { readonly kind: 'lost-answer' };

/** What befalls one action. */
export interface ActionFault {
  readonly late?: { readonly ms: number; readonly over: AbortSignal };
  readonly error?: { readonly code: string; readonly message: string };
}

/** What the cloud asks whoever makes trouble on purpose. */
export interface CloudFaults {
  /** In the order in which they are met. */
  request(request: { readonly method: string; readonly path: string; readonly by: string }): readonly RequestFault[];
  /** `server`: the id of a server it acts on. */
  action(action: { readonly command: string; readonly server?: number }): ActionFault;
  /** What has become of a token. */
  token(token: string): 'revoked' | 'read-only' | undefined;
  quotas(usual: CloudKnobs['quotas']): CloudKnobs['quotas'];
}

export const NO_FAULTS: CloudFaults = {
  request: () => [],
  action: () => ({}),
  token: () => undefined,
  quotas: (usual) => usual,
};

/** How a request ended: with an answer, or without one (the connection was reset). */
export interface Met {
  readonly response: Response;
  /** The answer as the cloud has it, where the client never saw it; 0 = there was none. */
  readonly status: number;
}

/**
 * Leads a request through what befalls it. Real trouble on the connection happens on the connection: a reset is a TCP
 * reset, a request that hangs is read and left open.
 */
export async function meet(
  c: Context,
  clock: Clock,
  faults: readonly RequestFault[],
  serve: () => Promise<Response>,
): Promise<Met> {
  for (const fault of faults) {
    switch (fault.kind) {
      case 'slow':
        // Cleared, it is answered at once.
        await clock.sleep(fault.ms, fault.over).catch(() => {});
        break;
      case 'answer':
        return { response: refusal(fault), status: fault.status };
      case 'hang':
        await gone(c, fault.over);
        return { response: cut(c), status: 0 };
      case 'reset':
        return { response: cut(c), status: 0 };
      case 'lost-answer': {
        const { status } = await serve();
        return { response: cut(c), status };
      }
    }
  }
  const response = await serve();
  return { response, status: response.status };
}

/** A gateway in front of the API answers with a page, the API itself with its error. */
function refusal({ status, code, message, headers }: Extract<RequestFault, { kind: 'answer' }>): Response {
  if (status === 502 || status === 504)
    return new Response(`<html><head><title>${status} ${message}</title></head></html>\n`, {
      status,
      headers: { 'content-type': 'text/html', ...headers },
    });
  return new Response(JSON.stringify({ error: { code, message, details: null } }), {
    status,
    headers: { 'content-type': 'application/json', ...headers },
  });
}

const bindings = (c: Context): HttpBindings => c.env as HttpBindings;

/** Resolves when the client has gone away, or the fault is over. */
function gone(c: Context, over: AbortSignal): Promise<void> {
  const { outgoing } = bindings(c);
  return new Promise((resolve) => {
    if (over.aborted || outgoing.destroyed) resolve();
    over.addEventListener('abort', () => resolve(), { once: true });
    outgoing.once('close', () => resolve());
  });
}

function cut(c: Context): Response {
  bindings(c).incoming.socket.resetAndDestroy();
  return RESPONSE_ALREADY_SENT;
}
