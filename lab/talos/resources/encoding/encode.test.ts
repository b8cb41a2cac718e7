import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { encodeSpec } from './encode.ts';
import { SPEC_SCHEMAS } from './schemas.ts';

interface Body {
  readonly ref: string;
  readonly metadata: { readonly type: string };
  readonly proto_spec: string;
  readonly yaml_spec: string;
}

const world = path.join(process.env['FAIRLEAD_GOLDENS'] ?? '/nonexistent', 'talosctl', 'world.jsonl');
const bodies: Body[] = existsSync(world)
  ? readFileSync(world, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Body)
      .filter(
        (body) => body.proto_spec !== '' && body.yaml_spec !== '' && SPEC_SCHEMAS[body.metadata.type] !== undefined,
      )
  : [];
const types = [...new Set(bodies.map((body) => body.metadata.type))].toSorted();

/** A message or map without content is as good as none. */
const filled = (value: unknown): unknown =>
  typeof value !== 'object' || value === null || Array.isArray(value)
    ? value
    : Object.fromEntries(
        Object.entries(value).filter(
          ([, part]) => !(typeof part === 'object' && part !== null && Object.keys(part as object).length === 0),
        ),
      );

describe.skipIf(bodies.length === 0)('against what Talos’ own encoders wrote (needs FAIRLEAD_GOLDENS)', () => {
  test.each(types)('the protobuf form of %s follows from its YAML', (type) => {
    const schema = SPEC_SCHEMAS[type];
    if (schema === undefined) throw new Error(`no schema of ${type}`);
    for (const body of bodies.filter(({ metadata }) => metadata.type === type)) {
      const theirs = fromBinary(schema, Buffer.from(body.proto_spec, 'base64'));
      const ours = fromBinary(schema, encodeSpec(schema, parse(body.yaml_spec)));
      expect(filled(toJson(schema, ours)), body.ref).toEqual(filled(toJson(schema, theirs)));
    }
  });
  test('most types are tried', () => expect(types.length).toBeGreaterThan(40));
});
