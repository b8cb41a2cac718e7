import { connect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { Code } from '@connectrpc/connect';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { systemClock } from '../../src/base/clock.ts';
import { waitFor } from '../../src/base/retry.ts';
import { ApplyConfigurationRequest_Mode as Mode } from '../../src/generated/machine/machine_pb.ts';
import { startSmallWorld, type SmallWorld, type WorldNode } from './testing/small-world.ts';

const serialOf = (node: WorldNode, port: number): Promise<{ serial: string; names: string } | undefined> =>
  new Promise((resolve) => {
    const socket = connect({ host: node.server.publicIPv4, port, rejectUnauthorized: false, timeout: 1_000 }, () => {
      const cert = socket.getPeerCertificate();
      socket.destroy();
      resolve({ serial: cert.serialNumber, names: cert.subjectaltname ?? '' });
    });
    socket.on('error', () => resolve(undefined));
    socket.on('timeout', () => {
      socket.destroy();
      resolve(undefined);
    });
  });

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('a lab node', () => {
  let world: SmallWorld;
  let cp: WorldNode;
  beforeAll(async () => {
    world = await startSmallWorld({});
    cp = await world.add('cp-1', 'control-plane', 'founding');
    await world.ready(cp);
  });
  afterAll(() => world?.close());

  const applied = async (edit: (text: string) => string, mode: Mode = Mode.NO_REBOOT): Promise<void> => {
    const calls = await world.call(cp);
    const { resource } = await calls.state.get({
      namespace: 'config',
      type: 'MachineConfigs.config.talos.dev',
      id: 'v1alpha1',
    });
    const text = String(parse(resource?.spec?.yamlSpec ?? ''));
    await calls.machine.applyConfiguration({ data: bytes(edit(text)), mode });
    calls.close();
  };

  it('answers Version, services and etcd with a client certificate of the cluster', async () => {
    const calls = await world.call(cp);
    const version = await calls.machine.version({});
    expect(version.messages[0]?.version?.tag).toBe('v1.13.9');
    const members = await calls.machine.etcdMemberList({ queryLocal: true });
    expect(members.messages[0]?.members.map((member) => member.hostname)).toEqual(['cp-1']);
    expect(members.messages[0]?.members[0]?.peerUrls).toEqual([`https://${cp.server.privateIPv4}:2380`]);
    const { messages } = await calls.machine.serviceList({});
    for (const service of messages[0]?.services ?? []) {
      expect(service.events).toBeDefined();
      expect(service.health).toBeDefined();
    }
    expect(messages[0]?.services.map((service) => service.id)).toContain('etcd');
    calls.close();
  });

  it('gives a kubeconfig whose server is the cluster endpoint, and that works', async () => {
    const calls = await world.call(cp);
    let packed = Buffer.alloc(0);
    for await (const part of calls.machine.kubeconfig({})) packed = Buffer.concat([packed, part.bytes]);
    calls.close();
    const tar = gunzipSync(packed);
    expect(tar.subarray(0, 10).toString('utf8')).toBe('kubeconfig');
    const size = Number.parseInt(tar.subarray(124, 135).toString('utf8'), 8);
    const config = parse(tar.subarray(512, 512 + size).toString('utf8')) as {
      clusters: { cluster: { server: string } }[];
      contexts: { name: string }[];
    };
    expect(config.clusters[0]?.cluster.server).toBe(`https://${cp.server.publicIPv4}:6443`);
    expect(config.contexts[0]?.name).toBe('admin@harbour');
  });

  it('refuses by role, in the words of Talos', async () => {
    const calls = await world.call(cp, ['os:reader']);
    await expect(calls.machine.hostname({})).resolves.toMatchObject({ messages: [{ hostname: 'cp-1' }] });
    await expect(calls.machine.etcdLeaveCluster({})).rejects.toMatchObject({
      code: Code.PermissionDenied,
      rawMessage: 'not authorized',
    });
    await expect(
      calls.state.get({ namespace: 'config', type: 'MachineConfigs.config.talos.dev', id: 'v1alpha1' }),
    ).rejects.toMatchObject({ code: Code.PermissionDenied });
    await expect(
      calls.state.get({ namespace: 'cluster', type: 'Members.cluster.talos.dev', id: 'nope' }),
    ).rejects.toMatchObject({
      code: Code.NotFound,
      rawMessage: "resource Members.cluster.talos.dev(cluster/nope@undefined) doesn't exist",
    });
    calls.close();
  });

  it('records each request, and writes only where something changed', async () => {
    const mark = world.audit.mark;
    const calls = await world.call(cp);
    const { resource } = await calls.state.get({
      namespace: 'config',
      type: 'MachineConfigs.config.talos.dev',
      id: 'persistent',
    });
    const data = bytes(String(parse(resource?.spec?.yamlSpec ?? '')));
    const headers = { 'x-user-agent': 'fairlead/1 test' };
    await calls.machine.applyConfiguration({ data, mode: Mode.NO_REBOOT, dryRun: true }, { headers });
    await calls.machine.applyConfiguration({ data, mode: Mode.NO_REBOOT }, { headers });
    await expect(
      calls.machine.applyConfiguration({ data: bytes('machine: [unclosed'), mode: Mode.NO_REBOOT }, { headers }),
    ).rejects.toMatchObject({ code: Code.InvalidArgument });
    calls.close();
    const records = world.audit
      .since(String(mark))
      .filter((record) => record.system === 'talos')
      .map(({ method, path, write, status, by, node }) => ({ method, path, write, status, by, node }));
    const apply = { method: 'ApplyConfiguration', path: '/machine.MachineService/ApplyConfiguration', node: 'cp-1' };
    expect(records).toEqual([
      expect.objectContaining({
        path: '/cosi.resource.State/Get/MachineConfigs.config.talos.dev/persistent',
        write: false,
      }),
      { ...apply, write: false, status: 0, by: 'fairlead' },
      { ...apply, write: true, status: 0, by: 'fairlead' },
      { ...apply, write: false, status: Code.InvalidArgument, by: 'fairlead' },
    ]);
  });

  it('a name more for the API server: new certificate, then a restart at the next poll of the kubelet', async () => {
    const before = await serialOf(cp, 6443);
    await applied((text) =>
      text.replace('    apiServer:\n', '    apiServer:\n        certSANs:\n            - api.example.net\n'),
    );
    await waitFor(systemClock, { everyMs: 20, timeoutMs: 5_000 }, async () => {
      const now = await serialOf(cp, 6443);
      return now?.names.includes('api.example.net') === true ? true : undefined;
    });
    const after = await serialOf(cp, 6443);
    expect(after?.names).toContain('DNS:api.example.net');
    expect(after?.serial).not.toBe(before?.serial);
    await waitFor(systemClock, { everyMs: 20, timeoutMs: 5_000 }, async () =>
      cp.log.some((line) => line.includes('static pod kube-apiserver is recreated')) ? true : undefined,
    );
    expect(cp.log.filter((line) => line.includes('is recreated'))).toHaveLength(3);
    await world.ready(cp);
  });

  it('a name more for the Talos API: served by the next handshake, open connections stay', async () => {
    const calls = await world.call(cp);
    await calls.machine.version({});
    await applied((text) => text.replace('    certSANs: []\n', '    certSANs:\n        - talos.example.net\n'));
    const served = await waitFor(systemClock, { everyMs: 20, timeoutMs: 3_000 }, async () => {
      const now = await serialOf(cp, 50_000);
      return now?.names.includes('talos.example.net') === true ? true : undefined;
    });
    expect(served).toBe(true);
    await calls.machine.version({});
    calls.close();
  });

  it('staged configs wait for the reboot, which a new boot time proves', async () => {
    const calls = await world.call(cp);
    const boot = (await calls.machine.systemStat({})).messages[0]?.bootTime ?? 0n;
    await systemClock.sleep(1_000);
    await applied((text) => text.replace('talos.example.net', 'staged.example.net'), Mode.STAGED);
    const config = async (id: string): Promise<string> => {
      const again = await world.call(cp);
      const { resource } = await again.state.get({
        namespace: 'config',
        type: 'MachineConfigs.config.talos.dev',
        id,
      });
      again.close();
      return resource?.spec?.yamlSpec ?? '';
    };
    expect(await config('v1alpha1')).not.toContain('staged.example.net');
    expect(await config('persistent')).toContain('staged.example.net');
    await calls.machine.reboot({});
    calls.close();
    await waitFor(systemClock, { everyMs: 20, timeoutMs: 5_000 }, async () =>
      cp.node.info().stage === 'running' ? undefined : true,
    );
    await world.ready(cp);
    expect(await config('v1alpha1')).toContain('staged.example.net');
    const after = await world.call(cp);
    expect((await after.machine.systemStat({})).messages[0]?.bootTime).toBeGreaterThan(boot);
    after.close();
  });

  it('a tried config goes back by itself, and stays when another call cancels that', async () => {
    const names = async (): Promise<string> => {
      const calls = await world.call(cp);
      const { resource } = await calls.state.get({
        namespace: 'secrets',
        type: 'CertSANs.secrets.talos.dev',
        id: 'api',
      });
      calls.close();
      return resource?.spec?.yamlSpec ?? '';
    };
    const calls = await world.call(cp);
    const { resource } = await calls.state.get({
      namespace: 'config',
      type: 'MachineConfigs.config.talos.dev',
      id: 'v1alpha1',
    });
    const text = String(parse(resource?.spec?.yamlSpec ?? ''));
    const tried = { data: bytes(text.replace('staged.example.net', 'tried.example.net')), mode: Mode.TRY };
    const answer = await calls.machine.applyConfiguration({ ...tried, tryModeTimeout: { nanos: 300_000_000 } });
    expect(answer.messages[0]?.modeDetails).toContain("applied in 'try' mode");
    expect(await names()).toContain('tried.example.net');
    await systemClock.sleep(500);
    expect(await names()).not.toContain('tried.example.net');
    await calls.machine.applyConfiguration({ ...tried, tryModeTimeout: { nanos: 300_000_000 } });
    await calls.machine.applyConfiguration({ data: bytes(text), mode: Mode.NO_REBOOT, dryRun: true });
    await systemClock.sleep(500);
    expect(await names()).toContain('tried.example.net');
    calls.close();
  });

  const MEMBERS = { namespace: 'cluster', type: 'Members.cluster.talos.dev' };

  it('a watch begins with an empty message, then tells what changes', async () => {
    const calls = await world.call(cp);
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      const request = { ...MEMBERS, options: { bootstrapContents: true }, apiVersion: 1 };
      for await (const { event } of calls.state.watch(request, { signal: stop.signal })) {
        seen.push(event.map((one) => `${one.eventType} ${one.resource?.metadata?.id ?? ''}`).join() || 'empty');
        if (seen.length > 2) stop.abort();
      }
    })();
    await expect(watching).rejects.toMatchObject({ code: Code.Canceled });
    expect(seen).toEqual(['empty', '0 cp-1', '3 ']);
    calls.close();
  });

  it('falls silent when the cord is pulled, and comes back with what is on its disk', async () => {
    await cp.node.powerOff();
    expect(cp.node.info()).toMatchObject({ stage: 'off', ready: false });
    expect(await serialOf(cp, 6443)).toBeUndefined();
    await cp.node.powerOn();
    await world.ready(cp);
    expect(await serialOf(cp, 6443)).toBeDefined();
    const calls = await world.call(cp);
    const spec = async (id: string): Promise<string | undefined> => {
      const type = 'MachineConfigs.config.talos.dev';
      return (await calls.state.get({ namespace: 'config', type, id })).resource?.spec?.yamlSpec;
    };
    expect(await spec('persistent')).toBe(await spec('v1alpha1'));
    calls.close();
  });
});

describe('three control planes and a worker with a shared IP', () => {
  let world: SmallWorld;
  let planes: WorldNode[];
  let vip = '';
  let id = 0;
  const holder = (): string[] =>
    world.nodes.filter(({ node }) => node.info().claims.includes(vip)).map(({ server }) => server.name);
  const routedTo = (): string | undefined => world.fabric.routed(vip)?.name;
  const vipDocument = (): string =>
    `---\napiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: ${vip}\nlink: enp1s0\napiToken: ${world.token}\n`;
  const cloudCall = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const response = await fetch(`${world.cloud.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${world.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  };
  const until = async (what: string, holds: () => boolean, timeoutMs = 10_000): Promise<number> => {
    const began = systemClock.now();
    const reached = await waitFor(systemClock, { everyMs: 10, timeoutMs }, async () => (holds() ? true : undefined));
    const logs = world.nodes.map(({ server, log }) => `== ${server.name}\n${log.slice(-15).join('\n')}`).join('\n');
    expect(reached, `${what}; holder ${holder().join()}, routed ${routedTo()}\n${logs}`).toBe(true);
    return systemClock.now() - began;
  };

  beforeAll(async () => {
    world = await startSmallWorld({ speed: 20 });
    planes = await world.found(['cp-1', 'cp-2', 'cp-3']);
    const worker = await world.add('worker-1', 'worker', { kind: 'join' });
    await Promise.all([...planes, worker].map((node) => world.ready(node)));
    const made = (await cloudCall('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'api' })) as {
      floating_ip: { id: number; ip: string };
    };
    ({ id, ip: vip } = made.floating_ip);
  });
  afterAll(() => world?.close());

  it('the worker has a certificate that a control plane signed, and refuses what only those do', async () => {
    const worker = world.nodes[3] as WorldNode;
    const calls = await world.call(worker);
    await expect(calls.machine.version({})).resolves.toMatchObject({ messages: [{}] });
    await expect(calls.machine.etcdMemberList({})).rejects.toMatchObject({
      code: Code.Unimplemented,
      rawMessage: 'etcd members is only available on control plane nodes',
    });
    await expect(
      calls.machine.version({}, { headers: { node: planes[0]?.server.publicIPv4 ?? '' } }),
    ).rejects.toMatchObject({ code: Code.PermissionDenied, rawMessage: 'no request forwarding' });
    calls.close();
  });

  it('a control plane passes a call on to the node it names, with the roles of the caller', async () => {
    const target = world.nodes[3] as WorldNode;
    const headers = { node: target.server.privateIPv4 };
    const calls = await world.call(planes[0] as WorldNode);
    const answer = await calls.machine.hostname({}, { headers });
    expect(answer.messages[0]?.hostname).toBe('worker-1');
    const names: string[] = [];
    const request = { namespace: 'cluster', type: 'Members.cluster.talos.dev' };
    for await (const { resource } of calls.state.list(request, { headers })) names.push(resource?.metadata?.id ?? '');
    expect(names).toEqual(['cp-1', 'cp-2', 'cp-3', 'worker-1']);
    await expect(calls.machine.kubeconfig({}, { headers })[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: Code.Unimplemented,
    });
    calls.close();
    const reader = await world.call(planes[0] as WorldNode, ['os:reader']);
    await expect(reader.machine.reboot({}, { headers })).rejects.toMatchObject({ code: Code.PermissionDenied });
    reader.close();
  });

  it('one node gets the address when the config names it, and the cloud leads it there', async () => {
    for (const plane of planes) {
      const calls = await world.call(plane);
      await calls.machine.applyConfiguration({
        data: bytes(world.config('control-plane', vipDocument())),
        mode: Mode.NO_REBOOT,
      });
      calls.close();
    }
    await until('one holds', () => holder().length === 1 && routedTo() === holder()[0]);
    const [name] = holder();
    const log = world.nodes.find(({ server }) => server.name === name)?.log.join('\n');
    expect(log).toContain('assigned Hetzner Cloud floating IP');
    expect(log).toContain('enabled shared IP');
    expect(world.audit.since().some((record) => record.system === 'hetzner' && record.by === `node/${name}`)).toBe(
      true,
    );
    // Its certificate covers the address from now on; those of the others do not.
    const node = world.nodes.find(({ server }) => server.name === name) as WorldNode;
    const covered = await waitFor(systemClock, { everyMs: 50, timeoutMs: 5_000 }, async () =>
      (await serialOf(node, 6443))?.names.includes(vip) === true ? true : undefined,
    );
    expect(covered).toBe(true);
  });

  it('a reboot hands the address over before anything stops', async () => {
    const [before] = holder();
    const node = world.nodes.find(({ server }) => server.name === before) as WorldNode;
    const rebooted = node.node.reboot();
    await until('another holds', () => holder().length === 1 && holder()[0] !== before, 3_000);
    await rebooted;
    await world.ready(node);
    expect(holder()).not.toContain(before);
  });

  it('a restarted kubelet on the holder moves it', async () => {
    const [before] = holder();
    await until('it settles', () => routedTo() === holder()[0]);
    const calls = await world.call(world.nodes.find(({ server }) => server.name === before) as WorldNode);
    await calls.machine.serviceRestart({ id: 'kubelet' });
    calls.close();
    await until('another holds', () => holder().length === 1 && holder()[0] !== before, 3_000);
  });

  it('a holder without power loses it when its lease has run out', async () => {
    const [before] = holder();
    const node = world.nodes.find(({ server }) => server.name === before) as WorldNode;
    await node.node.powerOff();
    await until('another holds', () => holder().length === 1 && holder()[0] !== before && routedTo() === holder()[0]);
    await node.node.powerOn();
    await world.ready(node);
    expect(holder()).toHaveLength(1);
  });

  it('a removed entry takes the address off without a word to the cloud', async () => {
    const [before] = holder();
    const node = world.nodes.find(({ server }) => server.name === before) as WorldNode;
    const calls = await world.call(node);
    const mark = world.audit.mark;
    await calls.machine.applyConfiguration({ data: bytes(world.config('control-plane')), mode: Mode.NO_REBOOT });
    await until('another holds', () => holder().length === 1 && holder()[0] !== before, 3_000);
    expect(
      world.audit.since(String(mark)).filter(({ system, by }) => system === 'hetzner' && by === `node/${before}`),
    ).toEqual([]);
    // What it held once stays in its certificate until it boots again.
    expect((await serialOf(node, 6443))?.names).toContain(vip);
    calls.close();
    expect((await cloudCall('GET', `/floating_ips/${id}`))['floating_ip']).toBeDefined();
  });

  it('a replaced control plane joins as a learner and is promoted', async () => {
    const last = planes[2] as WorldNode;
    const first = planes[0] as WorldNode;
    const member = last.node.info().etcd?.memberId;
    await world.fabric.route(last.server.publicIPv4, undefined);
    await world.fabric.route(last.server.privateIPv4, undefined);
    world.nodes.splice(world.nodes.indexOf(last), 1);
    await last.node.destroy();
    const calls = await world.call(first);
    // Removing the dead member is refused while etcd calls the cluster unhealthy: asked again, as an operator does.
    const removed = await waitFor(systemClock, { everyMs: 200, timeoutMs: 15_000 }, () =>
      calls.machine.etcdRemoveMemberByID({ memberId: BigInt(`0x${member}`) }).then(
        () => true,
        () => undefined,
      ),
    );
    expect(removed).toBe(true);
    const fresh = await world.add('cp-3', 'control-plane', { kind: 'join' });
    await world.ready(fresh, 30_000);
    const members = (await calls.machine.etcdMemberList({})).messages[0]?.members ?? [];
    calls.close();
    expect(new Set(members.map((one) => `${one.hostname} ${one.isLearner}`))).toEqual(
      new Set(['cp-1 false', 'cp-2 false', 'cp-3 false']),
    );
    expect(members).toHaveLength(3);
    expect(fresh.log.join('\n')).toContain('added as learner');
    expect(fresh.log.join('\n')).toContain('successfully promoted');
  }, 60_000);

  it('a machine that comes back under a name etcd still lists waits until that member is removed', async () => {
    const last = world.nodes.find(({ server }) => server.name === 'cp-3') as WorldNode;
    const member = last.node.info().etcd?.memberId;
    await world.fabric.route(last.server.publicIPv4, undefined);
    await world.fabric.route(last.server.privateIPv4, undefined);
    world.nodes.splice(world.nodes.indexOf(last), 1);
    await last.node.destroy();
    const fresh = await world.add('cp-3', 'control-plane', { kind: 'join' });
    await until('it says why it waits', () => fresh.log.some((line) => line.includes('service[etcd](Failed)')));
    expect(fresh.node.info()).toMatchObject({ stage: 'booting', ready: false });
    const calls = await world.call(world.nodes[0] as WorldNode);
    await waitFor(systemClock, { everyMs: 200, timeoutMs: 15_000 }, () =>
      calls.machine.etcdRemoveMemberByID({ memberId: BigInt(`0x${member}`) }).then(
        () => true,
        () => undefined,
      ),
    );
    calls.close();
    await world.ready(fresh, 30_000);
  }, 60_000);

  it('a member that leaves is gone from the list, and joins anew at the next boot', async () => {
    const last = world.nodes.find(({ server }) => server.name === 'cp-3') as WorldNode;
    const [calls, other] = [await world.call(last), await world.call(world.nodes[0] as WorldNode)];
    await calls.machine.etcdLeaveCluster({});
    const names = async (): Promise<string[]> =>
      ((await other.machine.etcdMemberList({})).messages[0]?.members ?? []).map((one) => one.hostname);
    expect(await names()).not.toContain('cp-3');
    calls.close();
    await last.node.reboot();
    await world.ready(last, 30_000);
    expect(await names()).toContain('cp-3');
    other.close();
  }, 60_000);
});
