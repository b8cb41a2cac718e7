import https from 'node:https';
import { connect as connectTls } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { startLoopback } from '../fabric/loopback.ts';
import { createStrangers } from './strangers.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const issuerAt = (address: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connectTls({ host: address, port: 6443, rejectUnauthorized: false }, () => {
      const certificate = socket.getPeerX509Certificate();
      expect(certificate?.checkIP(address)).toBe(address);
      resolve(certificate?.fingerprint256 ?? '');
      socket.destroy();
    });
    socket.on('error', reject);
  });

test('an address that leads nowhere can become a stranger: TLS of an unknown authority for that very address, and nobody is let in', async () => {
  const fabric = await startLoopback({ random: systemRandom });
  cleanups.push(() => fabric.close());
  const strangers = createStrangers({ fabric, clock: systemClock });
  cleanups.push(() => strangers.close());
  const [one, two] = [fabric.allocate('public'), fabric.allocate('public')];
  // Where a server was before.
  await fabric.route(one, undefined);
  await strangers.give(one);
  await strangers.give(two);
  expect(await issuerAt(one)).not.toBe(await issuerAt(two));
  expect(strangers.addresses).toEqual([one, two]);
  const [verified, let_in] = await Promise.all([
    new Promise((resolve) => https.get(`https://${one}:6443/readyz`).on('error', resolve)),
    new Promise((resolve) =>
      https.get(`https://${one}:6443/readyz`, { rejectUnauthorized: false, agent: false }, (r) =>
        resolve(r.statusCode),
      ),
    ),
  ]);
  expect(verified).toMatchObject({ code: expect.stringMatching(/UNABLE_TO_VERIFY|SELF_SIGNED|UNABLE_TO_GET_ISSUER/) });
  expect(let_in).toBe(401);
  await expect(strangers.give(one)).rejects.toMatchObject({ code: 'lab-stranger-refused' });
  for (const outside of ['203.0.113.7', 'api.example.com'])
    await expect(strangers.give(outside)).rejects.toMatchObject({ code: 'lab-stranger-refused' });
  await strangers.takeBack(one);
  expect(fabric.routed(one)).toBeUndefined();
  await strangers.give(one);
  expect(await issuerAt(one)).not.toBe('');
});
