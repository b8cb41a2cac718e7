import type { Clock } from '../../src/base/clock.ts';
import { ApiError } from './errors.ts';
import { NO_FAULTS } from './faults.ts';
import type { CloudKnobs } from './knobs.ts';
import type { CloudOptions } from './types.ts';

/** The project's budget of requests: one bucket for all tokens, calls without a token included. */
export interface RateBucket {
  /** Takes one request out; false when none is left. */
  take(): boolean;
  /** RateLimit-* as they stand now; the reset is the time (Unix seconds) when the bucket is full again. */
  headers(): Record<string, string>;
}

export function createRateBucket(clock: Clock, { capacity, refillPerSecond }: CloudKnobs['rateLimit']): RateBucket {
  // In thousandths of a request: a millisecond brings a whole number of them, and no rounding adds up over the hours.
  const full = capacity * 1000;
  let level = full;
  let at = clock.now();
  const refill = (): void => {
    const now = clock.now();
    level = Math.min(full, level + (now - at) * refillPerSecond);
    at = now;
  };
  return {
    take() {
      refill();
      if (level < 1000) return false;
      level -= 1000;
      return true;
    },
    headers() {
      refill();
      const reset = clock.wall().getTime() / 1000 + (full - level) / 1000 / refillPerSecond;
      return {
        'RateLimit-Limit': String(capacity),
        'RateLimit-Remaining': String(Math.floor(level / 1000)),
        'RateLimit-Reset': String(Math.ceil(reset)),
      };
    },
  };
}

/** Lets a request in or throws the API's refusal. A token only ever passes through here: it is compared and forgotten. */
export function createGate(
  options: Pick<CloudOptions, 'tokens' | 'era' | 'faults'>,
  knobs: CloudKnobs,
  bucket: RateBucket,
): (authorization: string | undefined, method: string) => void {
  return (authorization, method) => {
    if (!bucket.take()) {
      throw new ApiError(429, 'rate_limit_exceeded', `limit of ${knobs.rateLimit.capacity} requests per hour reached`);
    }
    const token = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1];
    const fate = token === undefined ? undefined : (options.faults ?? NO_FAULTS).token(token);
    const mayWrite = token !== undefined && options.tokens.readWrite.includes(token);
    if (mayWrite && fate === undefined) return;
    if (token === undefined || fate === 'revoked' || !(mayWrite || options.tokens.readOnly.includes(token))) {
      throw new ApiError(401, 'unauthorized', 'unable to authenticate');
    }
    if (method === 'GET' || method === 'HEAD') return;
    const { status, code } = knobs.readOnlyWrite[options.era];
    throw new ApiError(status, code, 'the token is only allowed to perform GET requests');
  };
}
