import { type DialOptions, type DialTarget, dialOf } from './dial.ts';
import { exchange } from './exchange.ts';
import { failedConnection } from '../systems/connection-failure.ts';
import type { ReadyResult } from './types.ts';

export interface ReadyOptions extends DialOptions {
  readonly timeoutMs: number;
}

/**
 * Asks an API server how it is, on a new connection verified against the cluster's CA. `/livez` and `/readyz` answer 200
 * or 500; a server that refuses anonymous callers answers 401 to a context without credentials. Never rejects.
 */
export async function ready(
  target: DialTarget,
  path: '/readyz' | '/livez' | '/version',
  options: ReadyOptions,
): Promise<ReadyResult> {
  const started = performance.now();
  let dial;
  try {
    dial = dialOf(target, options);
  } catch (error) {
    return failedConnection(error);
  }
  const answer = await exchange(dial, { method: 'GET', path }, options.timeoutMs);
  return answer.kind === 'failed' ? answer : { ...answer, ms: Math.round(performance.now() - started) };
}
