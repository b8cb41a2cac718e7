import { describe, expect, it } from 'vitest';
import { usageFailure, wantsJson } from './usage.ts';

describe('a command line that is not understood', () => {
  it('is answered with JSON where JSON was asked for, in either form of the flag', () => {
    expect(wantsJson(['plan', '--bogus', '--output', 'json'])).toBe(true);
    expect(wantsJson(['plan', '--output=json', '--bogus'])).toBe(true);
    expect(wantsJson(['plan', '--output', 'text', 'json'])).toBe(false);
  });

  it('does not take the flags of a command that is run inside the lab for its own', () => {
    expect(wantsJson(['lab', 'exec', '--', 'hcloud', '--output', 'json'])).toBe(false);
  });

  it('is one document with version, kind, exit code and the reason', () => {
    expect(JSON.parse(usageFailure(['plan', '--bogus'], 'No flag registered for --bogus'))).toMatchObject({
      apiVersion: expect.stringMatching(/^fairlead\//),
      kind: 'Failure',
      code: 'usage',
      exit: 2,
      why: 'No flag registered for --bogus',
      state: 'Nothing was changed.',
    });
  });
});
