import { describe, expect, it } from 'vitest';
import { readFields } from './hetzner-fields.ts';
import { readRecordings, recordingFolder } from './hetzner-recordings.ts';
import { chains, replay } from './hetzner-replay.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'];
const folder = goldens === undefined ? undefined : recordingFolder(goldens);

describe.skipIf(folder === undefined)(
  "what real clients of Hetzner's API sent is answered as they need it (needs FAIRLEAD_GOLDENS, a folder with hetzner/*.jsonl)",
  () => {
    const fields = readFields();
    const all = folder === undefined ? [] : chains(readRecordings(folder));

    it('has recordings to judge by', () => {
      expect(all.length).toBeGreaterThan(0);
    });

    for (const chain of all) {
      const [first] = chain;
      it(`${first?.client} ${first?.version}: ${first?.id}`, async () => {
        for (const { recording, troubles } of await replay(chain, fields)) expect(troubles, recording.id).toEqual([]);
      });
    }
  },
);
