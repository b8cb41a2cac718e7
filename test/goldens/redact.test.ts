import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments, visit } from 'yaml';
import { z } from 'zod';
import { redactMachineConfig } from '../../src/machine-config/redact.ts';
import { meaningOf } from './patch-oracle.ts';

const Case = z.object({
  marker: z.string(),
  results: z.array(z.object({ talos: z.string(), output: z.string().optional(), leftInClear: z.array(z.string()).default([]) })),
});

const goldens = process.env['FAIRLEAD_GOLDENS'];
const folder = goldens === undefined ? undefined : path.join(goldens, 'talos', 'redact', 'cases');
const there = folder !== undefined && existsSync(folder);

function scalars(text: string): string[] {
  const found: string[] = [];
  for (const document of [parseAllDocuments(text, { logLevel: 'silent' })].flat()) {
    if ('contents' in document) visit(document, { Scalar: (key, node) => void (key !== 'key' && typeof node.value === 'string' && found.push(node.value)) });
  }
  return found;
}

describe.skipIf(!there)("nothing that Talos' own redaction hides is left in clear (needs FAIRLEAD_GOLDENS, a folder with talos/redact)", () => {
  const ids = there ? readdirSync(folder).toSorted() : [];

  it('has cases to judge by', () => {
    expect(ids.length).toBeGreaterThan(0);
  });

  for (const id of ids) {
    it(id, () => {
      const read = (file: string): string => readFileSync(path.join(folder ?? '', id, file), 'utf8');
      const config = read('config.yaml');
      const ours = redactMachineConfig(config);
      expect(meaningOf(ours)).toHaveLength(meaningOf(config).length);
      const item = Case.parse(JSON.parse(read('case.json')));
      for (const { output, leftInClear } of item.results) {
        if (output === undefined) continue;
        const kept = new Set(scalars(read(output)));
        const secrets = [...scalars(config).filter((value) => value.length > 3 && !kept.has(value)), ...leftInClear];
        for (const secret of secrets) expect(ours.includes(secret) && !kept.has(secret) ? secret : undefined).toBeUndefined();
        for (const secret of leftInClear) expect(ours).not.toContain(secret);
      }
    });
  }
});
