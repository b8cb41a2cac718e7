import { readdir, readFile, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { LabInfo } from '../../lab/world/info.ts';

/** Ways to spoil the story, so that a test can see the verdict fall: each takes one thing away that the product provides. */
export const CONTROLS = ['no-vip', 'no-issuer-pin', 'no-repository', 'kubeconfig-byte', 'same-server'] as const;
export type Control = (typeof CONTROLS)[number];

/** For the control that leaves the repository out: the same configuration without that consumer. */
export async function configFor(control: Control | undefined, lab: LabInfo): Promise<string> {
  if (control !== 'no-repository') return lab.files.config;
  const text = await readFile(lab.files.config, 'utf8');
  const without = path.join(path.dirname(lab.files.config), 'fairlead-without-repository.yaml');
  await writeFile(without, text.replace(/^ {2}repository:\n {4}path: .*\n/m, ''));
  return without;
}

/** Takes away what a control is about, after everything has been applied. */
export async function spoil(control: Control | undefined, lab: LabInfo): Promise<void> {
  const patches = path.join(lab.files.provisioner, 'talos');
  const removeWhere = async (matches: (text: string) => boolean): Promise<void> => {
    for (const file of await readdir(patches, { recursive: true })) {
      if (!file.endsWith('.yaml')) continue;
      const full = path.join(patches, file);
      if (matches(await readFile(full, 'utf8'))) await unlink(full);
    }
  };
  if (control === 'no-vip') await removeWhere((text) => /HCloudVIPConfig|^\s*vip:/m.test(text));
  if (control === 'no-issuer-pin') await removeWhere((text) => text.includes('service-account-issuer'));
  if (control === 'kubeconfig-byte') {
    await writeFile(lab.files.kubeconfig, `${await readFile(lab.files.kubeconfig, 'utf8')}\n`, { mode: 0o600 });
  }
}
