import { setTimeout as delay } from 'node:timers/promises';

/** Where code that waits or measures gets its time from, so that tests can bring their own. Milliseconds throughout. */
export interface Clock {
  /** Monotonic; only differences mean anything. */
  now(): number;
  /** The calendar, for display and certificates; never compared between machines. */
  wall(): Date;
  /** Rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => new Date(),
  sleep: async (ms, signal) => {
    try {
      await delay(Math.max(0, ms), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? (signal.reason ?? error) : error;
    }
  },
};
