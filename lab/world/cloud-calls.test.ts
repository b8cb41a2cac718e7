import { expect, test } from 'vitest';
import { READ_WRITE, testCloud } from '../cloud/testing.ts';
import { createCloudCalls } from './cloud-calls.ts';

test('a server on which an action runs refuses the next, and says what to do; an action is waited for without asking', async () => {
  const { cloud, audit } = await testCloud({ knobs: { delays: { power: [30_000, 30_000] } as never } });
  const server = cloud.addServer({ name: 'cp-1', labels: {}, userData: '' });
  const calls = createCloudCalls({ url: () => cloud.url, token: READ_WRITE, ended: (id) => cloud.ended(id) });
  const first = calls.act(server.id, 'poweroff');
  await expect.poll(() => audit.mark).toBeGreaterThan(0);
  await expect(calls.act(server.id, 'reboot')).rejects.toMatchObject({
    why: expect.stringContaining('(locked)') as string,
    next: expect.stringContaining('again in a moment') as string,
  });
  await first;
  expect(audit.since().filter(({ method }) => method === 'GET')).toHaveLength(1);
  await cloud.close();
});
