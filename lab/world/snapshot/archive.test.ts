import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { fc, test } from '@fast-check/vitest';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { keepFile, readSnapshot, writeSnapshot } from './archive.ts';
import { fromPlain, type Plain, toPlain } from './plain.ts';
import { packTar, unpackTar } from './tar.ts';

const options = {
  fabric: 'loopback',
  parts: 'built-in',
  controlPlanes: 3,
  workers: 1,
  talos: 'v1.13.9',
  hetznerEra: 'from-2026-10',
  speed: 10,
} as const;
const manifest = {
  takenAt: '2026-11-24T10:00:00.000Z',
  name: 'calm-quay',
  options,
  parts: { etcd: 'built-in', kubeApiserver: 'built-in' },
};

describe('a snapshot', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-snapshot-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const at = (name: string): string => path.join(folder, name);

  test('is read as it was written, long files with zeros at their end too, and is for its owner alone', async () => {
    const log = Buffer.concat([
      Buffer.from('entry'),
      Buffer.alloc(1_000_000),
      Buffer.from('end'),
      Buffer.alloc(4_000_000),
    ]);
    await writeFile(at('log'), log);
    const long = keepFile('nodes/a/etcd/wal/1.wal', at('log'), 0o600);
    expect(long.content.byteLength).toBeLessThan(1_200_000);
    const world = { name: 'calm-quay', servers: new Map([[7, { created: new Date(0), lease: 2n ** 63n }]]) };
    const files = [{ name: 'kubeconfig', mode: 0o600, content: Buffer.from('a: b\n'), size: 5 }, long];
    await writeSnapshot(at('good'), { manifest, world, files });

    expect((await stat(at('good'))).mode & 0o777).toBe(0o600);
    const read = await readSnapshot(at('good'));
    expect(read.manifest).toMatchObject({ kind: 'LabSnapshot', name: 'calm-quay', options });
    expect(read.world).toEqual(world);
    const whole = read.files.map(({ name, content, size }) => [
      name,
      Buffer.concat([content, Buffer.alloc(size - content.byteLength)]),
    ]);
    expect(whole).toEqual([
      ['kubeconfig', Buffer.from('a: b\n')],
      ['nodes/a/etcd/wal/1.wal', log],
    ]);
  });

  test('can be looked into with tar', async () => {
    const long = `nodes/${'n'.repeat(60)}-12345678/secrets/kubernetes/kube-apiserver/apiserver-kubelet-client.crt`;
    const files = [{ name: long, mode: 0o600, content: Buffer.from('x'), size: 1 }];
    await writeSnapshot(at('tar'), { manifest, world: {}, files });
    const names = execFileSync('tar', ['tzf', at('tar')], { encoding: 'utf8' })
      .trim()
      .split('\n');
    expect(names).toEqual(['snapshot.json', 'world.json', `files/${long}`]);
  });

  const spoiled: Record<string, { spoil: (bytes: Buffer) => Buffer; why: RegExp }> = {
    'that is no archive': { spoil: () => Buffer.from('hello'), why: /no whole archive/ },
    'that is cut short': { spoil: (bytes) => bytes.subarray(0, bytes.length / 2), why: /no whole archive/ },
    'that is another archive': {
      spoil: () => gzipSync(packTar([{ name: 'a', mode: 0o600, content: Buffer.from('b') }], new Date())),
      why: /no snapshot.json in it/,
    },
    'of another version': { spoil: changed('"fairlead": "', '"fairlead": "9.'), why: /fairlead 9\.\S+ wrote it/ },
    'of another form': { spoil: changed('"format": 1', '"format": 2'), why: /in form 2/ },
    'with a file that leads out of the folder': {
      spoil: changed('', '', (entry) => ({ ...entry, name: entry.name.replace('kubeconfig', '../kubeconfig') })),
      why: /outside of a lab's folder/,
    },
  };
  for (const [what, { spoil, why }] of Object.entries(spoiled)) {
    test(`${what} is refused, with the reason`, async () => {
      const files = [{ name: 'kubeconfig', mode: 0o600, content: Buffer.from('a: b\n'), size: 5 }];
      await writeSnapshot(at('spoiled'), { manifest, world: {}, files });
      await writeFile(at('spoiled'), spoil(await readFile(at('spoiled'))));
      await expect(readSnapshot(at('spoiled'))).rejects.toMatchObject({
        code: 'lab-snapshot-unusable',
        exit: 4,
        why: expect.stringMatching(why) as string,
      });
    });
  }

  test('that is not there is refused', async () => {
    await expect(readSnapshot(at('absent'))).rejects.toMatchObject({ code: 'lab-snapshot-unusable' });
  });
});

type Packed = ReturnType<typeof unpackTar>[number];
function changed(from: string, to: string, each: (entry: Packed) => Packed = (entry) => entry) {
  return (bytes: Buffer): Buffer => {
    const entries = unpackTar(gunzipSync(bytes)).map((entry) => {
      const text = Buffer.from(entry.content).toString('utf8');
      return each(entry.name === 'snapshot.json' ? { ...entry, content: Buffer.from(text.replace(from, to)) } : entry);
    });
    return gzipSync(packTar(entries, new Date()));
  };
}

const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
    fc.boolean(),
    fc.constant(null),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.array(tie('value')),
    fc.array(fc.tuple(fc.integer(), tie('value'))).map((pairs) => new Map(pairs)),
    fc.array(fc.integer()).map((list) => new Set(list)),
    fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie('value'), { noNullPrototype: true }),
  ),
})).value;

test.prop([value])('plain data goes through JSON unharmed', (any) => {
  const text = JSON.stringify(toPlain(any));
  expect(fromPlain(JSON.parse(text) as Plain)).toStrictEqual(any);
});
