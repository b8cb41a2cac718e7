import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { createRegistry, type DescFile, type DescMethod, type Registry } from '@bufbuild/protobuf';

const GENERATED = ['../../../src/generated', '../../../lab/talos/api/generated'].map((name) =>
  path.join(import.meta.dirname, name),
);

/** Every message and service of Talos' API that fairlead or its lab has; the lab's wider ones win. */
export async function talosRegistry(): Promise<Registry> {
  const files = new Map<string, DescFile>();
  for (const folder of GENERATED) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('_pb.ts')) continue;
      const module: unknown = await import(path.join(folder, name));
      for (const value of Object.values(module as Record<string, unknown>)) {
        if (isFile(value)) files.set(value.name, value);
      }
    }
  }
  return createRegistry(...files.values());
}

/** `/package.Service/Method`. */
export function methodOf(registry: Registry, name: string): DescMethod | undefined {
  const [, service = '', method = ''] = name.split('/');
  return registry.getService(service)?.methods.find((candidate) => candidate.name === method);
}

const isFile = (value: unknown): value is DescFile =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'file';
