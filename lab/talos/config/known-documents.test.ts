import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { shapeOf, type Shape } from './shape.ts';

const goldens = process.env['FAIRLEAD_GOLDENS'];

interface Schema {
  $ref?: string;
  type?: string;
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  enum?: string[];
  oneOf?: Schema[];
  $defs?: Record<string, Schema>;
}

/** Every path of keys a schema names: `routes[].gateway`. */
function pathsOfSchema(schema: Schema, root: Schema, prefix: string): string[] {
  if (schema.$ref !== undefined) {
    const target = root.$defs?.[schema.$ref.split('/').at(-1) ?? ''];
    return target === undefined ? [] : pathsOfSchema(target, root, prefix);
  }
  if (schema.items !== undefined) return pathsOfSchema(schema.items, root, `${prefix}[]`);
  return Object.entries(schema.properties ?? {}).flatMap(([name, value]) => {
    const here = prefix === '' ? name : `${prefix}.${name}`;
    return [here, ...pathsOfSchema(value, root, here)];
  });
}

function pathsOfShape(shape: Shape, minor: number, prefix: string): string[] {
  if (shape.kind === 'list') return pathsOfShape(shape.item, minor, `${prefix}[]`);
  if (shape.kind !== 'section') return [];
  return [...shape.keys].flatMap(([name, key]) => {
    const here = prefix === '' ? name : `${prefix}.${name}`;
    return key.since > minor ? [] : [here, ...pathsOfShape(key.shape, minor, here)];
  });
}

describe.skipIf(goldens === undefined)('the known keys (FAIRLEAD_GOLDENS must name the goldens)', () => {
  it.each([
    [12, '1.12.11'],
    [13, '1.13.9'],
    [14, '1.14.0-rc.1'],
  ])('are those of the schema that Talos 1.%i publishes', async (minor, version) => {
    const file = path.join(goldens ?? '', `talos/schema/config-${version}.schema.json`);
    const root = JSON.parse(await readFile(file, 'utf8')) as Schema;
    for (const reference of root.oneOf ?? []) {
      const definition = root.$defs?.[reference.$ref?.split('/').at(-1) ?? ''];
      // The schema of 1.14 calls this kind by another name than the generator and the decoder do.
      const kind = (definition?.properties?.['kind']?.enum?.[0] ?? '').replace(
        /^UnattendedInstall$/,
        'UnattendedInstallConfig',
      );
      const shape = shapeOf(kind, minor);
      if (shape === undefined) expect.fail(`${kind} is not known for 1.${minor}`);
      // Read here into its two halves, which the schema leaves open.
      const open = /(^|\.)resources\./;
      const ours = new Set(
        pathsOfShape(shape, minor, '').filter((name) => !kind.startsWith('Kube') || !open.test(name)),
      );
      for (const name of pathsOfSchema(reference, root, '')) {
        // Written out in Talos' schema, passed through as it is here.
        if (/^machine\.(install\.diskSelector|kubelet\.extraMounts\[\])\./.test(name)) continue;
        // One object in the schema, a list of them in the decoder.
        expect(ours, `${kind} ${name}`).toContain(name.replace('acceptedCAs.crt', 'acceptedCAs[].crt'));
      }
      if (kind !== '') expect(ours.size, kind).toBeLessThanOrEqual(pathsOfSchema(reference, root, '').length + 1);
    }
  });
});

describe('the known kinds', () => {
  it('come with their version', () => {
    expect(shapeOf('HCloudVIPConfig', 11)).toBeUndefined();
    expect(shapeOf('HCloudVIPConfig', 12)?.kind).toBe('section');
    expect(shapeOf('KubeClusterConfig', 13)).toBeUndefined();
    expect(shapeOf('KubeClusterConfig', 14)?.kind).toBe('section');
    expect(shapeOf('Nonsense', 14)).toBeUndefined();
  });
});
