import { type Context, Hono } from 'hono';
import { textOf } from '../../src/base/failure.ts';
import type { Random } from '../../src/base/random.ts';
import { attribute } from '../world/audit.ts';
import { ApiError } from './errors.ts';
import { meet, NO_FAULTS } from './faults.ts';
import { createGate, createRateBucket } from './gate.ts';
import type { CloudContext, Reply, Routes } from './routes.ts';

const ROOT = '/v1';

/** The project's HTTP face: lets in, finds the call, answers in the API's own form, and records every request. */
export function createApp(context: CloudContext, routes: Routes): Hono {
  const { options, knobs } = context;
  const bucket = createRateBucket(options.clock, knobs.rateLimit);
  const enter = createGate(options, knobs, bucket);
  const app = new Hono({ strict: true });

  const answer = async (c: Context, handle: () => Promise<Reply>): Promise<Response> => {
    const began = options.clock.now();
    const url = new URL(c.req.url);
    const [method, path, by] = [c.req.method, url.pathname + url.search, attribute(c.req.header('user-agent'))];
    const befalling = (options.faults ?? NO_FAULTS).request({ method, path, by });
    const { response, status } = await meet(c, options.clock, befalling, () =>
      replyTo(c, async () => {
        enter(c.req.header('authorization'), method);
        return handle();
      }),
    );
    if (response.headers.get('ratelimit-limit') === null)
      for (const [name, value] of Object.entries(bucket.headers())) response.headers.set(name, value);
    response.headers.set('X-Correlation-Id', correlationId(options.random));
    const changes = method !== 'GET' && method !== 'HEAD';
    options.audit.record({
      system: 'hetzner',
      method,
      path,
      write: changes && status >= 200 && status < 300,
      status,
      ms: Math.round(options.clock.now() - began),
      by,
    });
    return response;
  };

  for (const [path, verbs] of Object.entries(routes)) {
    // Parameters are ids, but for zones and what is in them.
    app.all(ROOT + path.replaceAll(/:(?:id|action)\b/g, (name) => `${name}{[0-9]+}`), (c) =>
      answer(c, async () => {
        const handler = verb(c.req.method) && verbs[verb(c.req.method) ?? 'GET'];
        if (handler === undefined) throw new ApiError(405, 'method_not_allowed', 'method not allowed');
        const body = c.req.method === 'GET' ? {} : await readJson(c, knobs.bodyLimit);
        return handler({ url: new URL(c.req.url), param: (name) => c.req.param(name) ?? '', body });
      }),
    );
  }
  app.notFound((c) =>
    answer(c, () => {
      throw new ApiError(404, 'not_found', 'the requested path does not exist');
    }),
  );
  return app;
}

const verb = (method: string): 'GET' | 'POST' | 'PUT' | 'DELETE' | undefined =>
  method === 'GET' || method === 'POST' || method === 'PUT' || method === 'DELETE' ? method : undefined;

async function replyTo(c: Context, handle: () => Promise<Reply>): Promise<Response> {
  try {
    const reply = await handle();
    // No content type on an empty answer: old clients try to parse what it announces.
    if (reply.status === 204) return c.body(null, 204);
    return json(reply.status, reply.body, reply.link === undefined ? {} : { Link: reply.link });
  } catch (error) {
    if (error instanceof ApiError) {
      const { code, message, details } = error;
      return json(error.status, { error: { code, message, details } });
    }
    console.error(`cloud: ${c.req.method} ${c.req.path}: ${textOf(error)}`);
    return json(500, { error: { code: 'server_error', message: 'server error', details: null } });
  }
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } });

/** Power actions send no body and some clients send `{}`: both mean the same. */
async function readJson(c: Context, limit: number): Promise<unknown> {
  const text = await readText(c, limit).catch((error: unknown) => {
    if (error instanceof ApiError) throw error;
    throw new ApiError(400, 'json_error', 'request body ended early');
  });
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below, without a word of the body.
  }
  throw new ApiError(400, 'json_error', 'invalid JSON in request body');
}

async function readText(c: Context, limit: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of c.req.raw.body ?? []) {
    size += chunk.byteLength;
    // The rest is read and forgotten, so that the client hears the answer.
    if (size <= limit) chunks.push(chunk);
  }
  if (size > limit) throw new ApiError(400, 'json_error', `request body is larger than ${limit} bytes`);
  return Buffer.concat(chunks).toString('utf8');
}

const correlationId = (random: Random): string =>
  Array.from({ length: 2 }, () =>
    Math.floor(random.next() * 2 ** 32)
      .toString(16)
      .padStart(8, '0'),
  ).join('');
