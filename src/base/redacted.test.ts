import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from './failure.ts';
import { Redacted, redactText } from './redacted.ts';

const secret = new Redacted('S3cret-value');

describe('a redacted value', () => {
  test('prints as *** wherever it ends up', () => {
    expect(`${secret as unknown as string}`).toBe('***');
    expect(String(secret)).toBe('***');
    expect('' + (secret as unknown as string)).toBe('***');
    expect(JSON.stringify({ token: secret, list: [secret] })).toBe('{"token":"***","list":["***"]}');
    expect(inspect({ token: secret }, { depth: 5, showHidden: true })).not.toContain('S3cret');
    expect(new Error(`failed with ${secret as unknown as string}`).message).toBe('failed with ***');
  });

  test('gives its value only when asked by name', () => {
    expect(secret.reveal()).toBe('S3cret-value');
    expect(Object.values(secret)).toEqual([]);
  });

  test('stays hidden as the cause or a part of a failure', () => {
    const failure = new Failure({
      code: 'x',
      what: 'a',
      why: String(secret),
      state: 'b',
      next: 'c',
      cause: { secret },
    });
    expect(inspect(failure, { depth: 9 })).not.toContain('S3cret');
    expect(JSON.stringify(failure)).not.toContain('S3cret');
  });
});

test('a text from elsewhere is cleaned of every occurrence of a secret', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 4, maxLength: 20 }),
      fc.array(fc.string(), { maxLength: 5 }),
      (value, around) => {
        fc.pre(!'***'.includes(value) && !value.includes('*'));
        const text = around.join(value);
        expect(redactText(text, [new Redacted(value)])).not.toContain(value);
      },
    ),
  );
});
