import { describe, expect, it } from 'vitest';
import { disagreement, patchFolder, readCases } from './patch-oracle.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'];
const folder = goldens === undefined ? undefined : patchFolder(goldens);

describe.skipIf(folder === undefined)('a patch means what it means to talosctl (needs FAIRLEAD_GOLDENS, a folder with talos/patch)', () => {
  const cases = folder === undefined ? [] : readCases(folder);

  it('has cases to judge by', () => {
    expect(cases.length).toBeGreaterThan(0);
  });

  for (const item of cases) {
    it(`${item.id}: ${item.description}`, () => {
      for (const result of item.results) {
        expect(disagreement(folder ?? '', item, result), result.talosctl).toBeUndefined();
      }
    });
  }
});
