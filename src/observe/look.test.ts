import { describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.ts';
import { ask } from './look.ts';

const look = (signal?: AbortSignal) => ({ clock: systemClock, signal });

describe('asking one thing', () => {
  it('gives the value with its source and time', async () => {
    const fact = await ask(look(), 'here', 1000, () => Promise.resolve(7));
    expect(fact).toMatchObject({ kind: 'known', value: 7, source: 'here' });
  });

  it('gives an unknown with its reason for whatever fails, never a default', async () => {
    const fact = await ask(look(), 'here', 1000, () => Promise.reject(new Error('refused')));
    expect(fact).toEqual({ kind: 'unknown', why: 'refused', source: 'here' });
  });

  it('ends after its time also where the callee does not heed its signal', async () => {
    const fact = await ask(look(), 'here', 20, () => new Promise(() => {}));
    expect(fact).toMatchObject({ kind: 'unknown', why: 'no answer within 20 ms' });
  });

  it('throws the reason of the caller’s own abort, and hands the abort on', async () => {
    const controller = new AbortController();
    let heard = false;
    const asked = ask(look(controller.signal), 'here', 5000, (signal) => {
      signal.addEventListener('abort', () => (heard = true));
      return new Promise(() => {});
    });
    controller.abort(new Error('the user'));
    await expect(asked).rejects.toThrow('the user');
    expect(heard).toBe(true);
  });
});
