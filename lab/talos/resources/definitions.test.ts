import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { TalosVersion } from '../types.ts';
import { registryOf } from './definitions.ts';
import { protoOf, yamlOf } from './resource.ts';

const VERSIONS: readonly TalosVersion[] = ['v1.11.6', 'v1.12.11', 'v1.13.9', 'v1.14.0-rc.1'];

describe.each(VERSIONS)('the types of Talos %s', (version) => {
  test('each has an id, a namespace that exists, and both forms', () => {
    const registry = registryOf(version);
    const types = registry.resources.filter(({ type }) => type.startsWith('ResourceDefinitions.'));
    expect(types.length).toBeGreaterThan(150);
    expect(new Set(types.map(({ id }) => id)).size).toBe(types.length);
    for (const resource of types) {
      const definition = registry.definition(resource.id);
      expect(definition?.type.toLowerCase()).toBe(resource.id);
      expect(registry.hasNamespace(definition?.defaultNamespace ?? ''), resource.id).toBe(true);
      expect(protoOf(resource).length).toBeGreaterThan(0);
      expect(parse(yamlOf(resource))).toEqual(resource.spec);
    }
  });
});

test('what holds secrets is told, per release', () => {
  const sensitive = (version: TalosVersion, type: string) => registryOf(version).definition(type)?.sensitive;
  for (const version of VERSIONS) {
    expect(sensitive(version, 'MachineConfigs.config.talos.dev')).toBe(true);
    expect(sensitive(version, 'Members.cluster.talos.dev')).toBe(false);
  }
  expect(sensitive('v1.11.6', 'APIServerConfigs.kubernetes.talos.dev')).toBe(false);
  expect(sensitive('v1.12.11', 'APIServerConfigs.kubernetes.talos.dev')).toBe(true);
  expect(sensitive('v1.13.9', 'Nonsense.kubernetes.talos.dev')).toBeUndefined();
});

const world = path.join(process.env['FAIRLEAD_GOLDENS'] ?? '/nonexistent', 'talosctl', 'world.jsonl');
describe.skipIf(!existsSync(world))('against the registry of Talos itself (needs FAIRLEAD_GOLDENS)', () => {
  interface Body {
    readonly ref: string;
    readonly worlds: readonly string[];
    readonly metadata: { readonly type: string; readonly id: string };
    readonly proto_spec: string;
    readonly yaml_spec: string;
  }
  const bodies = existsSync(world)
    ? readFileSync(world, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Body)
        .filter(({ metadata }) => metadata.type.endsWith('.meta.cosi.dev'))
    : [];
  test.each(VERSIONS.slice(1))('%s: the same types and namespaces, to the byte of the protobuf form', (version) => {
    const release = version.split('.').slice(0, 2).join('.').slice(1);
    const key = (type: string, id: string): string => `${type}/${id}`;
    const theirs = new Map(
      bodies
        .filter(({ worlds }) => worlds.includes(release))
        .map((body) => [key(body.metadata.type, body.metadata.id), body]),
    );
    const ours = new Map(registryOf(version).resources.map((resource) => [key(resource.type, resource.id), resource]));
    expect([...ours.keys()].toSorted()).toEqual([...theirs.keys()].toSorted());
    for (const [id, resource] of ours) {
      const body = theirs.get(id);
      expect(Buffer.from(protoOf(resource)).toString('base64'), id).toBe(body?.proto_spec);
      expect(resource.spec, id).toEqual(parse(body?.yaml_spec ?? ''));
    }
  });
});
