import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import type { LabInfo } from '../../lab/world/info.ts';

/** What must never be read anywhere but where it belongs, by what it is. */
export async function canariesOf(info: LabInfo): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>([
    ['the token of the cloud', info.hetzner.token],
    ['the token of the VIP', info.hetzner.nodeToken],
  ]);
  const key = /AGE-SECRET-KEY-\S+/.exec(await readFile(path.join(info.state, 'age.key'), 'utf8').catch(() => ''))?.[0];
  if (key !== undefined) found.set('the age identity', key);
  const walk = (value: unknown, name: string): void => {
    if (typeof value === 'string' && value.length >= 16 && !/crt$|cluster\.id$/.test(name)) found.set(name, value);
    if (typeof value === 'object' && value !== null)
      for (const [below, inner] of Object.entries(value)) walk(inner, `${name}.${below}`);
  };
  walk(parse(await readFile(path.join(info.files.provisioner, 'secrets.yaml'), 'utf8')), 'secrets.yaml');
  for (const [file, field] of [
    [info.files.kubeconfig, /client-key-data: (\S+)/],
    [info.files.talosconfig, /key: (\S+)/],
  ] as const) {
    const value = field.exec(await readFile(file, 'utf8'))?.[1];
    if (value !== undefined) found.set(`${path.basename(file)} key`, value);
  }
  return found;
}

/** A sentence for each canary in each text; PEM is looked for in clear as well as in base64. */
export function canariesIn(canaries: ReadonlyMap<string, string>, where: string, text: string): string[] {
  return [...canaries].flatMap(([what, value]) => {
    const clear = value.startsWith('LS0t') ? Buffer.from(value, 'base64').toString().split('\n')[1] : undefined;
    return text.includes(value) || (clear !== undefined && clear.length > 30 && text.includes(clear))
      ? [`${what} stands in clear in ${where}`]
      : [];
  });
}

/** The state directory with all that is in it, and what a killed write left beside the files of the user. */
export async function canariesOnDisk(canaries: ReadonlyMap<string, string>, info: LabInfo): Promise<string[]> {
  const state = path.join(info.state, 'fairlead-state');
  const entries = await readdir(state, { recursive: true, withFileTypes: true }).catch(() => []);
  const texts = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const file = path.join(entry.parentPath, entry.name);
        return canariesIn(canaries, file, await readFile(file, 'latin1').catch(() => ''));
      }),
  );
  return texts.flat();
}

/** Temporary files that nobody will ever name again. */
export async function debrisIn(info: LabInfo): Promise<string[]> {
  const folders = [info.state, path.join(info.state, 'fairlead-state'), info.files.provisioner];
  const lists = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(folder, { recursive: folder !== info.state }).catch((): string[] => []))
        .filter((name) => /\.fairlead-\d+-[0-9a-f]{8}$/.test(name))
        .map((name) => path.join(folder, name)),
    ),
  );
  return lists.flat();
}
