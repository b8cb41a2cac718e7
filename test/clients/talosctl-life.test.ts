import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startSmallWorld, type SmallWorld, type WorldNode } from '../../lab/talos/testing/small-world.ts';
import { systemClock } from '../../src/base/clock.ts';
import { waitFor } from '../../src/base/retry.ts';
import { missing, TALOSCTL, talosctlAt, type Talosctl } from './talosctl.ts';

const skipped = `(skipped without ${TALOSCTL}, which scripts/prepare builds)`;

/** Each step begins where the one before has left the machines. */
describe.skipIf(missing)(`the life of a node, as Talos' own talosctl leads it ${skipped}`, { timeout: 40_000 }, () => {
  let home: string;
  let world: SmallWorld;
  let cp: WorldNode;
  let worker: WorldNode;
  let talosctl: Talosctl;
  const addressOf = (node: WorldNode): string => node.server.publicIPv4;

  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), 'fairlead-life-'));
    world = await startSmallWorld({ version: 'v1.13.9', speed: 30 });
    cp = await world.add('cp-1', 'control-plane', { kind: 'join' }, '');
    worker = await world.add('worker-1', 'worker', { kind: 'join' }, '');
    talosctl = await talosctlAt(world, cp, home);
    await writeFile(path.join(home, 'cp.yaml'), world.config('control-plane'));
    await writeFile(path.join(home, 'worker.yaml'), world.config('worker'));
  });
  afterAll(async () => {
    await world?.close();
    await rm(home, { recursive: true, force: true });
  });

  const stage = async (node: WorldNode, wanted: string): Promise<void> => {
    const reached = await waitFor(systemClock, { everyMs: 20, timeoutMs: 20_000 }, async () =>
      node.node.info().stage === wanted ? true : undefined,
    );
    expect(reached, `${node.server.name} is ${node.node.info().stage}\n${node.log.slice(-20).join('\n')}`).toBe(true);
  };
  const insecure = (node: WorldNode): string[] => ['--insecure', '-n', addressOf(node), '-e', addressOf(node)];

  test('a machine without a config waits in maintenance, and gives strangers no more than that', async () => {
    await stage(cp, 'maintenance');
    expect(await talosctl.ok('version', ...insecure(cp))).toContain('Tag:         v1.13.9');
    expect(await talosctl.ok('get', 'machinestatus', ...insecure(cp))).toContain('maintenance');
    expect(await talosctl.fails('version')).toMatch(/certificate/);
    expect(await talosctl.fails('reset', '--wait=false', ...insecure(cp))).toMatch(/PermissionDenied.*not authorized/);
  });

  test('with one it boots on, and begins a cluster when it is told to, once', async () => {
    const file = path.join(home, 'cp.yaml');
    const dry = await talosctl.run('apply-config', ...insecure(cp), '-f', file, '--dry-run');
    expect(dry.stderr).toContain('Node is running in maintenance mode and does not have a config yet.');
    await stage(cp, 'maintenance');
    await talosctl.ok('apply-config', ...insecure(cp), '-f', file);
    const waiting = await waitFor(systemClock, { everyMs: 100, timeoutMs: 10_000 }, async () => {
      const { stdout } = await talosctl.run('services');
      return /etcd +Preparing/.test(stdout) ? stdout : undefined;
    });
    expect(waiting).toBeDefined();
    await talosctl.ok('bootstrap');
    await world.ready(cp);
    expect(await talosctl.ok('etcd', 'members')).toContain('cp-1');
    expect(await talosctl.fails('bootstrap')).toContain('code = AlreadyExists desc = etcd data directory is not empty');
  });

  test('several nodes are asked in one call, and the one that is not there has its error beside the others', async () => {
    await talosctl.ok('apply-config', ...insecure(worker), '-f', path.join(home, 'worker.yaml'));
    await world.ready(worker);
    const [a, b] = [addressOf(cp), addressOf(worker)];
    const nowhere = world.fabric.allocate('public');
    const { stdout, stderr, code } = await talosctl.run('version', '-n', `${a},${b},${nowhere}`);
    expect({ code, nodes: stdout.match(/NODE: +\S+/g)?.map((line) => line.replace(/NODE: +/, '')) }).toEqual({
      code: 0,
      nodes: [a, b],
    });
    expect(stderr).toMatch(new RegExp(`${nowhere}: rpc error: code = Unavailable desc = connection error`));
    expect(await talosctl.fails('version', '-e', b, '-n', a)).toContain(
      'code = PermissionDenied desc = no request forwarding',
    );
    expect(await talosctl.fails('bootstrap', '-n', b)).toContain('bootstrap is only available on control plane nodes');
  });

  test('the server judges the health of the cluster, check by check', async () => {
    const { code, stderr, stdout } = await talosctl.run('health', '--wait-timeout', '15s');
    expect({ code, said: stderr }).toMatchObject({ code: 0 });
    const told = stdout + stderr;
    expect(told).toContain(`discovered nodes: ["${addressOf(cp)}" "${addressOf(worker)}"]`);
    expect(told.match(/^waiting for .*: (OK|SKIP)$/gm)).toHaveLength(16);
    expect(told).toContain('waiting for coredns to report ready: SKIP');
  });

  test('a reader may look, and an operator may reboot but not reset', async () => {
    const reader = await talosctlAt(world, cp, home, ['os:reader']);
    const operator = await talosctlAt(world, cp, home, ['os:operator']);
    await reader.ok('services');
    for (const command of ['reboot', 'reset']) {
      expect(await reader.fails(command, '--wait=false')).toContain('not authorized');
    }
    expect(await operator.fails('reset', '--wait=false')).toContain('not authorized');
    expect(await operator.fails('read', '/etc/hostname')).toContain('not authorized');
    await operator.ok('reboot', '--wait=false', '-n', addressOf(worker));
    await stage(worker, 'rebooting');
    await world.ready(worker);
  });

  test('a reboot is watched from its beginning to the new boot id', async () => {
    const bootId = () => talosctl.ok('read', '/proc/sys/kernel/random/boot_id', '-n', addressOf(worker));
    const before = await bootId();
    const { code, stderr } = await talosctl.run('reboot', '-n', addressOf(worker), '--timeout', '15s');
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain('post check passed');
    expect(await bootId()).not.toBe(before);
    await world.ready(worker);
  });

  test('an upgrade brings the release of the image, and a rollback the one before', async () => {
    const at = ['-n', addressOf(worker)];
    const image = (tag: string): string => `ghcr.io/siderolabs/installer:${tag}`;
    const refused = await talosctl.fails('upgrade', ...at, '--image', image('v9.9.9'), '--timeout', '10s');
    expect(refused).toMatch(/v9\.9\.9: not found/);
    const drain = '--drain=false';
    const { code, stderr, stdout } = await talosctl.run(
      'upgrade',
      ...at,
      drain,
      '--image',
      image('v1.14.0-rc.1'),
      '--timeout',
      '15s',
    );
    expect({ code, stderr, stdout }).toMatchObject({ code: 0 });
    await world.ready(worker);
    expect(await talosctl.ok('version', ...at)).toContain('v1.14.0-rc.1');
    await talosctl.ok('rollback', ...at);
    await stage(worker, 'rebooting');
    await world.ready(worker);
    expect(await talosctl.ok('version', ...at)).not.toContain('v1.14.0-rc.1');
  });

  test('logs are followed, and events tell what goes on', async () => {
    const at = ['-n', addressOf(worker)];
    const logs = talosctl.follow('logs', 'machined', '-f', '--tail', '0', ...at);
    const events = talosctl.follow('events', ...at);
    try {
      await systemClock.sleep(500);
      await talosctl.ok('service', 'kubelet', 'restart', ...at);
      await talosctl.ok(
        'patch',
        'mc',
        ...at,
        '--mode',
        'no-reboot',
        '-p',
        '{"machine": {"sysctls": {"vm.swappiness": "1"}}}',
      );
      const seen = await waitFor(systemClock, { everyMs: 50, timeoutMs: 5_000 }, async () =>
        logs.lines().some((line) => line.includes('apply config request: mode no-reboot')) &&
        events.lines().some((line) => line.includes('kubelet'))
          ? true
          : undefined,
      );
      expect(seen, [...logs.lines(), ...events.lines()].join('\n')).toBe(true);
    } finally {
      await logs.stop();
      await events.stop();
    }
  });

  test('a reset wipes it, and it waits for a config again', async () => {
    const wipe = ['--system-labels-to-wipe', 'STATE', '--system-labels-to-wipe', 'EPHEMERAL'];
    const { code, stderr } = await talosctl.run(
      'reset',
      '-n',
      addressOf(worker),
      '--graceful',
      '--reboot',
      '--timeout',
      '15s',
      ...wipe,
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain('events check condition met');
    await stage(worker, 'maintenance');
    expect(await talosctl.ok('get', 'machinestatus', ...insecure(worker))).toContain('maintenance');
  });

  test('a shutdown is watched to its end', async () => {
    const { code, stderr } = await talosctl.run('shutdown', '--force', '--timeout', '15s');
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toMatch(/phase: stopEverything action: START\n.*events check condition met/);
    await stage(cp, 'off');
  });
});
