import type * as z from 'zod';
import { textOf } from '../../base/failure.ts';
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import { type Redacted, redactText } from '../../base/redacted.ts';
import { backoffMs } from '../../base/retry.ts';
import { USER_AGENT } from '../user-agent.ts';
import { createPace } from './budget.ts';
import { codeOfStatus, HetznerError, passes } from './errors.ts';
import { errorBody } from './schema.ts';
import type { HetznerClient, HetznerOptions } from './types.ts';

export interface HetznerPorts {
  readonly fetch: typeof fetch;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Request<S extends z.ZodType> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below the endpoint, with query. */
  readonly path: string;
  readonly body?: unknown;
  readonly schema: S;
}

export interface Transport {
  /** One request, one answer; not repeated. */
  once<S extends z.ZodType>(request: Request<S>, signal: AbortSignal | undefined): Promise<z.output<S>>;
  /** Waits before repeat number n (from 0); throws the error instead when it cannot pass or the attempts are used up. */
  pause(error: unknown, n: number, signal: AbortSignal | undefined): Promise<void>;
  readonly rateLimit: HetznerClient['rateLimit'];
}

export const DEFAULT_ENDPOINT = 'https://api.hetzner.cloud/v1';
export const DEFAULT_RETRY = { attempts: 6, baseMs: 500, capMs: 10_000 } as const;
export const DEFAULT_TIMEOUT_MS = 15_000;

/** One call after another over HTTP; every failure is a HetznerError, except the caller's own abort. */
export function createTransport(ports: HetznerPorts, options: HetznerOptions): Transport {
  const endpoint = (options.endpoint ?? DEFAULT_ENDPOINT).replace(/\/+$/, '');
  const policy = { ...DEFAULT_RETRY, ...options.retry };
  const timeoutMs = options.requestTimeoutMs ?? DEFAULT_TIMEOUT_MS;
  const token = headerToken(options.token);
  const pace = createPace(ports.clock);
  let rateLimit: HetznerClient['rateLimit'];

  async function answer(
    request: Request<z.ZodType>,
    signal: AbortSignal | undefined,
  ): Promise<{ response: Response; text: string }> {
    const timer = new AbortController();
    const over = new AbortController();
    const abort = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
    void ports.clock.sleep(timeoutMs, timer.signal).then(
      () => over.abort(),
      () => {},
    );
    try {
      const response = await ports.fetch(`${endpoint}${request.path}`, {
        method: request.method,
        headers: {
          authorization: `Bearer ${token}`,
          accept: 'application/json',
          'user-agent': USER_AGENT,
          ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
        // A redirect would carry the token to wherever it points.
        redirect: 'manual',
        signal: abort,
      });
      return { response, text: await response.text() };
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (over.signal.aborted) {
        throw new HetznerError({
          code: 'request_timeout',
          message: `no answer from ${endpoint} within ${timeoutMs} ms`,
          retryable: true,
          cause: error,
        });
      }
      throw new HetznerError({
        code: 'unreachable',
        message: `${endpoint} cannot be reached: ${clean(textOf(error))}`,
        retryable: true,
      });
    } finally {
      timer.abort();
    }
  }

  const clean = (text: string): string => redactText(text, [options.token]);

  function failure(response: Response, text: string): HetznerError {
    const { status } = response;
    const parsed = errorBody.safeParse(jsonOf(text));
    const code = parsed.success ? parsed.data.error.code : codeOfStatus(status);
    const said = parsed.success ? (parsed.data.error.message ?? '') : '';
    return new HetznerError({
      code: clean(code),
      message: said === '' ? `the API answered ${status}` : clean(said),
      status,
      requestId: requestIdOf(response),
      retryable: passes(code, status),
    });
  }

  return {
    async once(request, signal) {
      signal?.throwIfAborted();
      await pace(rateLimit, signal);
      const { response, text } = await answer(request, signal);
      rateLimit = rateLimitOf(response.headers) ?? rateLimit;
      if (!response.ok) throw failure(response, text);
      const parsed = request.schema.safeParse(jsonOf(text));
      if (parsed.success) return parsed.data;
      const problems = parsed.error.issues
        .slice(0, 3)
        .map((i) => `${i.path.map(String).join('.') || 'answer'}: ${i.message}`);
      throw new HetznerError({
        code: 'invalid_answer',
        message: clean(`${request.method} ${request.path} answered something unexpected: ${problems.join('; ')}`),
        status: response.status,
        requestId: requestIdOf(response),
        retryable: false,
      });
    },

    async pause(error, n, signal) {
      signal?.throwIfAborted();
      if (!(error instanceof HetznerError) || !error.retryable || n + 1 >= policy.attempts) throw error;
      await ports.clock.sleep(backoffMs(n, policy, ports.random), signal);
    },

    get rateLimit() {
      return rateLimit;
    },
  };
}

/** A header can carry no line break or blank; fetch would say so, with the token in its message. */
function headerToken(token: Redacted): string {
  const value = token.reveal();
  if (/^[\x21-\x7e]+$/.test(value)) return value;
  throw new HetznerError({
    code: 'invalid_token',
    message:
      value === ''
        ? 'the Hetzner token is empty'
        : 'the Hetzner token holds characters that no token has (a blank, a line break?)',
    retryable: false,
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const requestIdOf = (response: Response): string | undefined => response.headers.get('x-correlation-id') ?? undefined;

function rateLimitOf(headers: Headers): HetznerClient['rateLimit'] {
  const [limit, remaining, reset] = ['ratelimit-limit', 'ratelimit-remaining', 'ratelimit-reset'].map((name) => {
    const text = headers.get(name);
    return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
  });
  if (limit === undefined || remaining === undefined || reset === undefined) return undefined;
  return { limit, remaining, resetAt: new Date(reset * 1000) };
}
