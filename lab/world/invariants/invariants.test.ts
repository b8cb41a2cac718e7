import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { createSecrets } from '../../provisioner/secrets.ts';
import type { Secrets } from '../../provisioner/types.ts';
import { listeners } from './listening.ts';
import { secretsIn, secretsOf } from './secrets.ts';

let dir = '';
let secrets: Secrets;
const tokens = { own: 'o'.repeat(64), node: 'n'.repeat(64), readOnly: 'r'.repeat(64) };
beforeAll(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'fairlead-invariants-'));
  secrets = await createSecrets({ clock: systemClock });
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const found = async (text: string): Promise<readonly string[]> => {
  const file = path.join(dir, 'some.log');
  await writeFile(file, text);
  return secretsIn(file, secretsOf({ secrets, tokens }));
};

test('a log without secrets is not accused', async () => {
  expect(await found('2026-11-24T09:00:00Z enabled shared IP {"link": "enp1s0"}\n'.repeat(1_000))).toEqual([]);
});

test('a token is found wherever it stands, on the edge of two pieces too', async () => {
  const piece = 64 * 1024;
  for (const at of [0, piece - 1, piece - 63, piece, 3 * piece - 30])
    expect(await found(`${'.'.repeat(at)}${tokens.node}${'.'.repeat(100)}`)).toEqual(['the cloud token of the nodes']);
});

test('a key is found as PEM and as machine configs spell it', async () => {
  const { key } = secrets.certs.k8s;
  expect(await found(`crt and key: ${key}`)).toEqual(['the kubernetes key, as configs spell it']);
  expect(await found(Buffer.from(key, 'base64').toString('utf8'))).toEqual(['the kubernetes key']);
});

test("the kernel's table of sockets is read: who listens, and where", () => {
  const text = [
    '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
    '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0',
    '   1: 05034D7F:192B 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0',
  ].join('\n');
  expect(listeners(text)).toEqual([{ address: '127.0.0.1', port: 8080, inode: '4711' }]);
});
