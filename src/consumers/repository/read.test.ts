import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { valueOf } from '../../model/fact.ts';
import { nodeFiles } from '../files.ts';
import { observeRepository } from './read.ts';

it('finds in a repository what assigns floating IPs by itself, with its line, and nothing that is switched off', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-repo-'));
  try {
    await mkdir(path.join(folder, 'talos/cluster'), { recursive: true });
    const put = (name: string, text: string): Promise<void> => writeFile(path.join(folder, name), text);
    await put('ksail.yaml', 'spec:\n  provider:\n    hetzner:\n      floatingIPEnabled: false\n');
    await put('ksail.prod.yaml', 'spec:\n  provider:\n    hetzner:\n      floatingIPEnabled: true # on\n');
    await put(
      'main.tf',
      '# resource "hcloud_floating_ip_assignment" "old"\nresource "hcloud_floating_ip_assignment" "api" {\n}\n',
    );
    await put('notes.md', 'floatingIPEnabled: true\n');
    const { movers } = await observeRepository(nodeFiles, folder, '2026-11-24T12:00:00.000Z');
    expect(
      (movers === undefined ? undefined : valueOf(movers))?.map(({ who, place }) => [
        who,
        path.relative(folder, place),
      ]),
    ).toEqual([
      ['ksail', 'ksail.prod.yaml:4'],
      ['terraform', 'main.tf:2'],
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
