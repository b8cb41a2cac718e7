import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RequestRecord } from '../../lab/world/audit.ts';
import { createTalosClient } from '../../src/systems/talos/client.ts';
import { parseTalosconfig, selectContext } from '../../src/systems/talos/talosconfig.ts';
import { fairlead, fairleadJson, startLab, type TestLab } from './harness.ts';

interface History {
  readonly runs: readonly {
    readonly operation: string;
    readonly outcome: string | null;
    readonly steps: readonly unknown[];
    readonly snapshot: { readonly place: string; readonly sha256: string } | null;
  }[];
}

describe('the way back', () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await startLab(['--parts', 'built-in']);
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  /** SHA-256 of every node's active machine config, read from the node itself. */
  async function configs(): Promise<Record<string, string>> {
    const { ca, crt, key } = selectContext(
      parseTalosconfig(await readFile(lab.info.files.talosconfig, 'utf8'), 'the lab'),
      undefined,
    );
    const all: Record<string, string> = {};
    for (const { name, talosApi } of lab.info.nodes) {
      const client = createTalosClient({ address: talosApi.replace(/:\d+$/, ''), ca, crt, key });
      const text = (await client.machineConfig('active'))?.text.reveal() ?? '';
      client.close();
      all[name] = createHash('sha256').update(text).digest('hex');
    }
    return all;
  }
  const repository = async (): Promise<string[]> =>
    (await readdir(lab.info.files.provisioner, { recursive: true })).toSorted();
  const serverOf = async (): Promise<string | undefined> =>
    /server: (\S+)/.exec(await readFile(lab.info.files.kubeconfig, 'utf8'))?.[1];
  const history = async (): Promise<History> => JSON.parse((await lab.tool(['history', '--output', 'json'])).stdout);
  const writes = async (mark: number): Promise<RequestRecord[]> => {
    const args = ['lab', 'requests', '--state', lab.state, '--since', String(mark)];
    const { requests } = await fairleadJson<{ requests: RequestRecord[] }>(args);
    return requests.filter((r) => r.write && !r.by.startsWith('node/') && r.by !== 'lab');
  };
  const mark = async (): Promise<number> =>
    (await fairleadJson<{ mark: number }>(['lab', 'requests', '--state', lab.state])).mark;

  test('undo brings every machine config back byte for byte, the kubeconfig and the repository too, and keeps the address', async () => {
    const before = { configs: await configs(), repository: await repository(), server: await serverOf() };
    const applied = await lab.tool(['apply', '--yes']);
    expect(applied.code, applied.stderr).toBe(0);
    expect(await configs()).not.toEqual(before.configs);
    expect(await serverOf()).not.toBe(before.server);

    const undone = await lab.tool(['undo', '--yes', '--output', 'json']);
    expect(undone.code, undone.stderr).toBe(0);
    expect(JSON.parse(undone.stdout)).toMatchObject({ operation: 'undo', verdict: 'survived', tokens: { refused: 0 } });
    expect({ configs: await configs(), repository: await repository(), server: await serverOf() }).toEqual(before);
    expect((await lab.fresh()).floatingIPs).toMatchObject([{ claimedBy: [] }]);

    const since = await mark();
    const again = await lab.tool(['undo', '--yes']);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('nothing to undo');
    expect(await writes(since)).toEqual([]);
  }, 300_000);

  test('history tells of both runs, and the snapshot it names opens with the key and is whole', async () => {
    const { runs } = await history();
    expect(runs.map(({ operation, outcome }) => [operation, outcome])).toEqual([
      ['apply', 'done'],
      ['undo', 'done'],
    ]);
    const shown = await lab.tool(['history', 'show', '1']);
    expect(shown.stdout).toContain(runs[0]?.snapshot?.place);
    const { Decrypter } = await import('age-encryption');
    const decrypter = new Decrypter();
    const key = /AGE-SECRET-KEY-\S+/.exec(await readFile(path.join(lab.state, 'age.key'), 'utf8'))?.[0] ?? '';
    decrypter.addIdentity(key);
    const database = await decrypter.decrypt(await readFile(runs[0]?.snapshot?.place ?? ''));
    const body = database.subarray(0, -32);
    expect(createHash('sha256').update(body).digest('hex')).toBe(runs[0]?.snapshot?.sha256);
    const missing = await lab.tool(['history', 'show', '9']);
    expect(missing.code).toBe(2);
  });

  test('remove leads the cluster to the host that is named, and gives the address back only when that is named too', async () => {
    const applied = await lab.tool(['apply', '--yes']);
    expect(applied.code, applied.stderr).toBe(0);
    const second = lab.info.nodes[1]?.publicIPv4 ?? '';
    const wrong = await lab.tool(['remove', '--endpoint', second, '--release-address', 'another', '--yes']);
    expect(wrong.code, wrong.stdout).toBe(4);
    const [address] = (await lab.fresh()).floatingIPs;
    expect(address?.claimedBy).toHaveLength(1);

    const name = `${lab.info.name}-api`;
    const removed = await lab.tool(['remove', '--endpoint', second, '--release-address', name, '--yes']);
    expect(removed.code, removed.stderr).toBe(0);
    expect(await serverOf()).toBe(`https://${second}:6443`);
    const now = await lab.fresh();
    expect(now.endpoint).toBe(`https://${second}:6443`);
    expect(now.floatingIPs).toEqual([]);
    const since = await mark();
    const again = await lab.tool(['remove', '--endpoint', second, '--yes']);
    expect(again.code, again.stderr).toBe(0);
    expect(again.stdout).toContain('nothing to do');
    expect(await writes(since)).toEqual([]);
  }, 300_000);

  test('without a key nothing is sealed, so nothing is begun; without consent neither', async () => {
    const refused = await lab.tool(['apply']);
    expect(refused.code).toBe(2);
    const keyless = path.join(lab.state, 'keyless.yaml');
    await writeFile(keyless, (await readFile(lab.info.files.config, 'utf8')).replace(/^journal:[\s\S]*$/m, ''));
    const since = await mark();
    const ran = await fairlead(['apply', '--yes', '--config', keyless], { env: { HOME: '', XDG_CONFIG_HOME: '' } });
    await rm(keyless);
    expect(ran.code, ran.stdout).toBe(4);
    expect(ran.stderr).toContain('cannot be encrypted');
    expect(await writes(since)).toEqual([]);
  });
});
