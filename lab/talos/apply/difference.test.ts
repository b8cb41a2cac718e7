import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { configDifference } from './difference.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'];

describe('the difference in a dry run', () => {
  it('says so when nothing but comments changed', () => {
    expect(configDifference('version: v1alpha1 # old\n', '# new\nversion: v1alpha1\n')).toBe('No changes.');
  });

  it('is unified, with three lines of context', () => {
    const before = 'version: v1alpha1\nmachine:\n  type: worker\n  certSANs: [a]\n';
    expect(configDifference(before, before.replace('[a]', '[a, b]'))).toContain('--- a\n+++ b\n@@');
  });
});

describe.skipIf(goldens === undefined)('the differences that Talos printed (FAIRLEAD_GOLDENS is not set)', () => {
  const folder = path.join(goldens ?? '', 'talos', 'diff', 'cases');
  const cases = goldens === undefined ? [] : readdirSync(folder);
  it.each(cases)('%s', (name) => {
    const read = (file: string): string => readFileSync(path.join(folder, name, file), 'utf8');
    expect(configDifference(read('before.yaml'), read('after.yaml')).trimEnd()).toBe(
      read('expected.diff').trimEnd() || 'No changes.',
    );
  });
});
