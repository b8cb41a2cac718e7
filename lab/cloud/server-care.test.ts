import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type TestCloud, testCloud } from './testing.ts';

let c: TestCloud;
let server: number;
beforeEach(async () => {
  c = await testCloud({ speed: 30, knobs: { delays: { ...FAST } } });
  server = c.cloud.addServer({ name: 'cp-1', labels: {}, userData: '' }).id;
});
afterEach(() => c.cloud.close());

const DELAY = [300, 900] as const;
const FAST = {
  assign: DELAY,
  unassign: DELAY,
  createServer: DELAY,
  startServer: DELAY,
  deleteServer: DELAY,
  power: DELAY,
  network: DELAY,
  setting: DELAY,
  createImage: DELAY,
  createLoadBalancer: DELAY,
  loadBalancer: DELAY,
  firewall: DELAY,
  zone: DELAY,
  labelSelector: DELAY,
};
const get = async (path: string): Promise<Record<string, unknown>> =>
  (await c.call('GET', path)).body as Record<string, unknown>;
const shown = async () => (await get(`/servers/${server}`))['server'] as Record<string, unknown>;
const act = (name: string, body?: unknown) => c.act('POST', `/servers/${server}/actions/${name}`, body);

describe('the rescue system', () => {
  test('is booted once, by the next boot; the boot after that takes the disk again', async () => {
    const enabled = await c.call('POST', `/servers/${server}/actions/enable_rescue`, { type: 'linux64' });
    expect(enabled).toMatchObject({
      status: 201,
      body: { root_password: expect.stringMatching(/^\S{20}$/), action: { command: 'enable_rescue' } },
    });
    await expect.poll(async () => (await shown())['rescue_enabled']).toBe(true);
    expect(c.effects).toEqual([]);
    await act('reset');
    expect([c.effects, (await shown())['rescue_enabled']]).toEqual([['bootRescue cp-1'], false]);
    await act('reset');
    expect(c.effects).toEqual(['bootRescue cp-1', 'powerOn cp-1']);
    await act('reboot');
    expect(c.effects.at(-1)).toBe('reboot cp-1');
  });

  test('is taken back before a boot, and ends with the power', async () => {
    await act('enable_rescue');
    await act('disable_rescue');
    await act('reboot');
    await act('enable_rescue');
    await act('reboot');
    await act('shutdown');
    expect((await shown())['status']).toBe('off');
    await act('poweron');
    expect(c.effects).toEqual(['reboot cp-1', 'bootRescue cp-1', 'powerOff cp-1', 'powerOn cp-1']);
  });

  test('takes only keys and a system that there are', async () => {
    const path = `/servers/${server}/actions/enable_rescue`;
    expect(await c.call('POST', path, { type: 'freebsd64' })).toMatchObject({ status: 422 });
    expect(await c.call('POST', path, { ssh_keys: [1] })).toMatchObject({ status: 404 });
  });
});

describe('an image of a server', () => {
  const make = (body: unknown) => c.call('POST', `/servers/${server}/actions/create_image`, body);

  test('is being created until the action succeeds, and is then an image as any other: read, labelled, protected, deleted', async () => {
    const made = await make({ description: 'before the upgrade', labels: { a: 'b' } });
    expect(made).toMatchObject({
      status: 201,
      body: {
        image: {
          type: 'snapshot',
          status: 'creating',
          name: null,
          image_size: null,
          description: 'before the upgrade',
          created_from: { id: server, name: 'cp-1' },
          labels: { a: 'b' },
        },
        action: { command: 'create_image', resources: [{ type: 'server' }, { type: 'image' }] },
      },
    });
    const { id } = (made.body ?? {})['image'] as { id: number };
    await expect
      .poll(async () => ((await get(`/images/${id}`))['image'] as { status: string }).status)
      .toBe('available');
    expect(await get('/images?type=snapshot&label_selector=a=b')).toMatchObject({ images: [{ id }] });
    expect(await get(`/images/${id}/actions`)).toMatchObject({ actions: [{ command: 'create_image' }] });
    expect(await c.call('PUT', `/images/${id}`, { description: 'kept', labels: {} })).toMatchObject({
      status: 200,
      body: { image: { description: 'kept', labels: {} } },
    });
    await c.act('POST', `/images/${id}/actions/change_protection`, { delete: true });
    expect(await c.call('DELETE', `/images/${id}`)).toMatchObject({
      status: 423,
      body: { error: { code: 'protected' } },
    });
    await c.act('POST', `/images/${id}/actions/change_protection`, { delete: false });
    const again = await c.act('POST', `/servers/${server}/actions/rebuild`, { image: id });
    expect(again.status).toBe('success');
    expect(await c.call('DELETE', `/images/${id}`)).toMatchObject({ status: 204 });
    expect(await c.call('GET', `/images/${id}`)).toMatchObject({ status: 404 });
    expect(await shown()).toMatchObject({ image: { id, deleted: expect.stringMatching(/Z$/) } });
  });

  test('is a backup only where backups are enabled (guess how the refusal reads), and goes when they are disabled', async () => {
    expect(await make({ type: 'backup' })).toMatchObject({ status: 422, body: { error: { code: 'invalid_input' } } });
    await act('enable_backup');
    expect(await shown()).toMatchObject({ backup_window: expect.stringMatching(/^\d\d-\d\d$/) });
    await act('create_image', { type: 'backup' });
    await act('create_image', { type: 'backup' });
    const [one] = (await get(`/images?bound_to=${server}`))['images'] as { id: number; type: string }[];
    expect(one).toMatchObject({ type: 'backup' });
    await c.call('PUT', `/images/${one?.id}`, { type: 'snapshot' });
    await act('disable_backup');
    expect(await shown()).toMatchObject({ backup_window: null });
    expect(await get('/images?type=backup')).toMatchObject({ images: [] });
    expect(await get('/images?type=snapshot')).toMatchObject({
      images: expect.arrayContaining([expect.objectContaining({ id: one?.id, bound_to: null })]),
    });
  });

  test("is the project's own to change: one of Hetzner's is refused (guess how)", async () => {
    const [system] = (await get('/images?type=system'))['images'] as { id: number }[];
    expect(await c.call('DELETE', `/images/${system?.id}`)).toMatchObject({ status: 422 });
    expect(await c.call('PUT', `/images/${system?.id}`, { description: 'mine' })).toMatchObject({ status: 422 });
  });
});

test('a password and a console are answered in the form clients need; neither opens anything, and the console is the lab’s own host', async () => {
  const reset = await c.call('POST', `/servers/${server}/actions/reset_password`);
  expect(reset).toMatchObject({ status: 201, body: { root_password: expect.any(String), action: { error: null } } });
  await expect.poll(async () => (await shown())['locked']).toBe(false);
  const console_ = await c.call('POST', `/servers/${server}/actions/request_console`);
  expect(console_).toMatchObject({
    status: 201,
    body: { wss_url: expect.stringMatching(/^wss:\/\/127\./), password: expect.any(String) },
  });
  await expect.poll(async () => (await shown())['locked']).toBe(false);
  await act('poweroff');
  expect(await c.call('POST', `/servers/${server}/actions/reset_password`)).toMatchObject({ status: 422 });
});
