import type { Clock } from '../base/clock.ts';
import { textOf } from '../base/failure.ts';
import { type Fact, known, unknown } from '../model/fact.ts';

export interface Look {
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
}

/**
 * Asks one thing with a time-out of its own. What fails becomes an unknown with its reason; only the caller's own abort is
 * thrown. The time-out also holds where the callee does not heed its signal.
 */
export async function ask<T>(
  look: Look,
  source: string,
  timeoutMs: number,
  question: (signal: AbortSignal) => Promise<T>,
): Promise<Fact<T>> {
  look.signal?.throwIfAborted();
  const own = new AbortController();
  const signal = look.signal === undefined ? own.signal : AbortSignal.any([look.signal, own.signal]);
  const late = new Error(`no answer within ${timeoutMs} ms`);
  try {
    const value = await new Promise<T>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason ?? late), { once: true });
      look.clock.sleep(timeoutMs, signal).then(
        () => {
          own.abort(late);
          reject(late);
        },
        () => {},
      );
      question(signal).then(resolve, reject);
    });
    return known(value, source, look.clock.wall().toISOString());
  } catch (error) {
    look.signal?.throwIfAborted();
    return unknown(own.signal.aborted ? late.message : textOf(error), source);
  } finally {
    own.abort(late);
  }
}
