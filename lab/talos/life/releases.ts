import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { makeFolders, replaceFile } from '../files.ts';
import type { Machine, Releases } from '../machine.ts';
import type { TalosVersion } from '../types.ts';

export const KNOWN_RELEASES: readonly TalosVersion[] = ['v1.11.6', 'v1.12.11', 'v1.13.9', 'v1.14.0-rc.1'];

const fileOf = (machine: Machine): string => path.join(machine.ports.dir, 'boot', 'releases.json');

/** The next release is the one that runs from now on; the one before can be gone back to. */
export async function bootRelease(machine: Machine): Promise<void> {
  const { releases } = machine;
  Object.assign(releases, await readReleases(machine));
  if (releases.next !== releases.running) {
    releases.previous = releases.running;
    releases.running = releases.next;
    await save(machine);
  }
}

/** The release that an image brings, by its tag. Throws, in the words of a registry, where the lab has none such. */
export function releaseOf(image: string): TalosVersion {
  const [name = ''] = image.split('@');
  const tag = name.slice(name.lastIndexOf(':') + 1);
  const known = KNOWN_RELEASES.find((release) => release === tag);
  if (known === undefined) {
    throw new Error(
      `failed to pull image "${image}": failed to resolve reference: ${image}: not found (this lab has the releases ${KNOWN_RELEASES.join(', ')})`,
    );
  }
  return known;
}

/** Boots next. */
export async function installRelease(machine: Machine, release: TalosVersion): Promise<void> {
  machine.releases.next = release;
  await save(machine);
}

async function save(machine: Machine): Promise<void> {
  await makeFolders([path.dirname(fileOf(machine))]);
  await replaceFile(fileOf(machine), JSON.stringify(machine.releases));
}

async function readReleases(machine: Machine): Promise<Partial<Releases>> {
  const text = await readFile(fileOf(machine), 'utf8').catch(() => undefined);
  return text === undefined ? {} : (JSON.parse(text) as Partial<Releases>);
}
