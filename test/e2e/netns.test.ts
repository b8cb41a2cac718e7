import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unshared } from '../../lab/fabric/netns/unshared.ts';
import { fairlead, fairleadJson, kubectls, type Ran, root, startLab, type TestLab } from './harness.ts';

const how = unshared(process.env);
const reason = typeof how === 'string' ? ` (skipped: ${how})` : '';
const cli = [process.execPath, `${root}/src/cli/main.ts`];

describe.skipIf(typeof how === 'string')(`a lab of network namespaces${reason}`, () => {
  let lab: TestLab;
  beforeAll(async () => {
    lab = await startLab(['--fabric', 'netns', '--parts', 'built-in']);
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });
  const inside = (command: readonly string[], from = 'client'): Promise<Ran> =>
    fairlead(['lab', 'exec', '--state', lab.state, '--from', from, '--', ...command]);
  const dial = (host: string, port: number): string[] => [
    process.execPath,
    '--eval',
    `const s = require('node:net').connect({ host: '${host}', port: ${port}, timeout: 1500 });
     const end = (how) => { console.log(how); process.exit(); };
     s.on('connect', () => end('accepted')); s.on('timeout', () => end('silent')); s.on('error', (e) => end(e.code));`,
  ];
  const plane = (i: number) => {
    const node = lab.info.nodes.filter((n) => n.role === 'control-plane')[i];
    if (node === undefined) throw new Error(`no control plane ${i}`);
    return node;
  };

  interface Answer {
    readonly firewall?: { readonly id: number };
    readonly networks?: readonly { readonly id: number }[];
    readonly floating_ip?: { readonly id: number; readonly ip: string };
  }
  const call = async (method: string, where: string, body?: object): Promise<Answer> => {
    const { endpoint, token } = lab.info.hetzner;
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const script = `fetch('${endpoint}${where}', ${JSON.stringify({ method, headers, body: JSON.stringify(body) })})
      .then((r) => r.text()).then(console.log)`;
    return JSON.parse((await inside([process.execPath, '--eval', script])).stdout) as Answer;
  };
  /** How the API server answers at an address, once as wanted or after some seconds. */
  const answers = async (address: string, wanted: string): Promise<string> => {
    let seen = '';
    for (let i = 0; i < 20 && seen !== wanted; i += 1) seen = (await inside(dial(address, 6443))).stdout.trim();
    return seen;
  };

  test('says how its addresses are reached, and they are not reached from outside', async () => {
    expect(lab.info.fabric).toBe('netns');
    expect(lab.info.limits.join('\n')).toContain('lab exec --from client');
    const kubeconfig = await readFile(lab.info.files.kubeconfig, 'utf8');
    const ca = Buffer.from(/certificate-authority-data: (\S+)/.exec(kubeconfig)?.[1] ?? '', 'base64').toString();
    // Somebody may answer there (a proxy that takes everything), but not with a certificate of this cluster.
    const outside = await new Promise((resolve) => {
      const socket = tls.connect({ host: plane(0).publicIPv4, port: 6443, ca });
      socket.setTimeout(1_000, () => resolve('silent'));
      socket.once('secureConnect', () => resolve('the lab'));
      socket.once('error', () => resolve('refused'));
    });
    expect(outside).not.toBe('the lab');
  });

  test('a command inside reaches it, with its own resolv.conf and working folder, and its exit code comes out', async () => {
    const ran = await inside(['sh', '-c', 'pwd; cat /etc/resolv.conf; exit 7']);
    expect([ran.code, ran.stderr]).toEqual([7, '']);
    expect(ran.stdout).toContain(root);
    expect((await inside(dial(plane(0).publicIPv4, 6443))).stdout).toBe('accepted\n');
    expect((await inside(dial(plane(0).publicIPv4, 6444))).stdout).toBe('ECONNREFUSED\n');
    expect((await inside(dial(plane(0).privateIPv4, 6443))).stdout).toBe('silent\n');
    expect((await inside(dial(plane(0).privateIPv4, 6443), plane(1).name)).stdout).toBe('accepted\n');
    expect((await inside(dial('127.0.0.1', 6443), plane(1).name)).stdout).toBe('accepted\n');
    const fetched = `fetch('http://169.254.169.254/hetzner/v1/metadata/instance-id').then((r) => r.text()).then(console.log)`;
    expect((await inside([process.execPath, '--eval', fetched], plane(1).name)).stdout).toBe(`${plane(1).serverId}\n`);
  });

  test('a place that is not there is a usage error that names those that are', async () => {
    const ran = await inside(['true'], 'nowhere');
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain(plane(0).name);
    expect((await inside(['no-such-program'])).code).toBe(127);
  });

  test('a powered-off node is a link that is down', async () => {
    const { name, publicIPv4 } = plane(2);
    expect((await fairlead(['lab', 'node', 'power-off', name, '--state', lab.state])).code).toBe(0);
    expect((await inside(dial(publicIPv4, 6443))).stdout).toBe('silent\n');
    expect((await inside(['cat', '/sys/class/net/enp1s0/operstate', '/proc/net/route'], name)).stdout).not.toContain(
      'enp1s0\t',
    );
    expect((await fairlead(['lab', 'node', 'power-on', name, '--state', lab.state])).code).toBe(0);
    expect((await inside(dial(publicIPv4, 6443))).stdout).toBe('accepted\n');
  });

  test('two nodes that are parted do not hear each other, the client hears both; cleared, all is as before', async () => {
    const [one, two] = [plane(0), plane(1)];
    const at = ['--state', lab.state];
    await fairleadJson(['lab', 'fault', 'set', 'partition', '--from', one.name, '--to', two.name, ...at]);
    expect((await inside(dial(one.privateIPv4, 6443), two.name)).stdout).toBe('silent\n');
    expect((await inside(dial(one.publicIPv4, 6443))).stdout).toBe('accepted\n');
    await fairleadJson(['lab', 'fault', 'clear', '--all', ...at]);
    expect((await inside(dial(one.privateIPv4, 6443), two.name)).stdout).toBe('accepted\n');
  });

  test('a firewall of the cloud closes the public side of a server, and opens it again when it is taken away', async () => {
    const node = plane(2);
    const rule = { direction: 'in', protocol: 'tcp', port: '50000', source_ips: ['0.0.0.0/0', '::/0'] };
    const target = [{ type: 'server', server: { id: node.serverId } }];
    const { firewall } = await call('POST', '/firewalls', { name: 'talos-only', rules: [rule], apply_to: target });
    expect(await answers(node.publicIPv4, 'silent')).toBe('silent');
    expect((await inside(dial(node.publicIPv4, 50000))).stdout).toBe('accepted\n');
    expect((await inside(dial(node.privateIPv4, 6443), plane(0).name)).stdout).toBe('accepted\n');
    const from = { remove_from: target };
    await call('POST', `/firewalls/${firewall?.id}/actions/remove_from_resources`, from);
    expect(await answers(node.publicIPv4, 'accepted')).toBe('accepted');
  });

  test('IPv6: a server answers at ::1 of its /64 with a certificate for it, and a floating /64 leads where it is assigned', async () => {
    const [one, two] = [plane(0), plane(1)];
    const six = one.publicIPv6 ?? '';
    expect(six).toMatch(/^2001:db8:.*::1$/);
    const kubeconfig = await readFile(lab.info.files.kubeconfig, 'utf8');
    const ca = /certificate-authority-data: (\S+)/.exec(kubeconfig)?.[1] ?? '';
    const greet = `const s = require('node:tls').connect({ host: '${six}', port: 6443, ca: Buffer.from('${ca}', 'base64') });
      s.on('secureConnect', () => { console.log('trusted'); process.exit(); }); s.on('error', (e) => { console.log(e.message); process.exit(); });`;
    expect((await inside([process.execPath, '--eval', greet])).stdout).toBe('trusted\n');
    const { floating_ip: made } = await call('POST', '/floating_ips', { type: 'ipv6', server: two.serverId });
    const prefix = made?.ip ?? '';
    expect(prefix).toMatch(/::\/64$/);
    const address = prefix.replace('/64', '9');
    // As Hetzner says: any address of it, on the server's own link.
    expect((await inside(['ip', 'addr', 'add', `${address}/128`, 'dev', 'enp1s0'], two.name)).code).toBe(0);
    expect(await answers(address, 'accepted')).toBe('accepted');
    await call('POST', `/floating_ips/${made?.id}/actions/unassign`, {});
    expect(await answers(address, 'silent')).toBe('silent');
  });

  test('a server that is detached from the network is reached over it no more, and is again once attached', async () => {
    const worker = lab.info.nodes.find((n) => n.role === 'worker');
    const over = async (wanted: string): Promise<string> => {
      let seen = '';
      for (let i = 0; i < 20 && seen !== wanted; i += 1)
        seen = (await inside(dial(worker?.privateIPv4 ?? '', 50000), plane(0).name)).stdout.trim();
      return seen;
    };
    const { networks = [] } = await call('GET', '/networks');
    const change = { network: networks[0]?.id, ip: worker?.privateIPv4 };
    await call('POST', `/servers/${worker?.serverId}/actions/detach_from_network`, change);
    expect(await over('silent')).toBe('silent');
    expect((await inside(dial(worker?.publicIPv4 ?? '', 50000))).stdout).toBe('accepted\n');
    await call('POST', `/servers/${worker?.serverId}/actions/attach_to_network`, change);
    expect(await over('accepted')).toBe('accepted');
  });

  test('a load balancer dials from an address of its own, and is a party of faults', async () => {
    const node = plane(0);
    const at = ['--state', lab.state];
    const check = { protocol: 'tcp', port: 6443, interval: 3, timeout: 1, retries: 1 };
    await call('POST', '/load_balancers', {
      name: 'front',
      load_balancer_type: 'lb11',
      location: 'fsn1',
      targets: [{ type: 'server', server: { id: node.serverId } }],
      services: [
        { protocol: 'tcp', listen_port: 6443, destination_port: 6443, proxyprotocol: false, health_check: check },
      ],
    });
    const balancer = async () => (await lab.fresh()).loadBalancers.find(({ name }) => name === 'front');
    const health = async (wanted: string): Promise<string | undefined> => {
      let seen: string | undefined;
      for (let i = 0; i < 40 && seen !== wanted; i += 1) seen = (await balancer())?.services[0]?.targets[0]?.health;
      return seen;
    };
    expect(await health('healthy')).toBe('healthy');
    const address = (await balancer())?.addresses[0] ?? '';
    expect((await inside(dial(address, 6443))).stdout).toBe('accepted\n');
    expect((await inside(dial((await balancer())?.addresses[1] ?? '', 6443))).stdout).toBe('accepted\n');
    expect((await inside(['cat', '/proc/net/nf_conntrack'], node.name)).stdout).toContain(
      `src=${address} dst=${node.publicIPv4}`,
    );
    await fairleadJson(['lab', 'fault', 'set', 'partition', '--from', 'front', '--to', node.name, ...at]);
    expect(await health('unhealthy')).toBe('unhealthy');
    expect((await inside(dial(node.publicIPv4, 6443))).stdout).toBe('accepted\n');
    await fairleadJson(['lab', 'fault', 'clear', '--all', ...at]);
    expect(await health('healthy')).toBe('healthy');
  });

  test('latency is real for whoever asks: every packet of two parties is late, until it is cleared', async () => {
    const node = plane(0);
    const at = ['--state', lab.state];
    const took = async (): Promise<number> => {
      const script = `const t = performance.now(); require('node:net').connect(6443, '${node.publicIPv4}')
        .on('connect', () => { console.log(performance.now() - t); process.exit(); })`;
      return Number((await inside([process.execPath, '--eval', script])).stdout);
    };
    await fairleadJson([
      'lab',
      'fault',
      'set',
      'latency',
      '--from',
      'client',
      '--to',
      node.name,
      '--delay',
      '400ms',
      ...at,
    ]);
    expect(await took()).toBeGreaterThan(790);
    await fairleadJson(['lab', 'fault', 'clear', '--all', ...at]);
    expect(await took()).toBeLessThan(790);
  });

  test('two labs side by side do not meet', async () => {
    await using other = await startLab(['--fabric', 'netns', '--parts', 'built-in', '--control-planes', '1']);
    const command = dial(plane(0).publicIPv4, 6443);
    const ran = await fairlead(['lab', 'exec', '--state', other.state, '--', ...command]);
    expect(ran.stdout).toBe('silent\n');
  });

  test('the endpoint moves to an address that outlives a node: plan, apply, replace, all from the client', async () => {
    const config = ['--config', lab.info.files.config];
    const plan = await inside([...cli, 'plan', '--detailed-exitcode', ...config]);
    expect(plan.code, plan.stderr).toBe(3);
    const apply = await inside([...cli, 'apply', '--yes', ...config]);
    expect([apply.code, apply.stdout]).toEqual([0, expect.stringContaining('survived')]);
    const { endpoint, floatingIPs } = await lab.fresh();
    const address = floatingIPs.find(({ ip }) => !ip.includes(':'));
    expect(endpoint).toBe(`https://${address?.ip}:6443`);
    const holder = address?.claimedBy[0] ?? '';
    await fairleadJson(['lab', 'node', 'replace', holder, '--state', lab.state]);
    for (const kubectl of kubectls) {
      const nodes = await inside([kubectl, '--kubeconfig', lab.info.files.kubeconfig, 'get', 'nodes']);
      expect([kubectl, nodes.code, nodes.stderr]).toEqual([kubectl, 0, '']);
      expect(nodes.stdout).toContain(holder);
    }
    const verify = await inside([...cli, 'verify', ...config]);
    expect(verify.stdout + verify.stderr).toContain('sound');
  });

  // Last: behind this firewall the worker is out of the tool's reach.
  test("a node's firewall documents are rules of its kernel", async () => {
    const worker = lab.info.nodes.find((n) => n.role === 'worker')?.name ?? '';
    const patch = `apiVersion: v1alpha1
kind: NetworkDefaultActionConfig
ingress: block
---
apiVersion: v1alpha1
kind: NetworkRuleConfig
name: talos-api-from-private
portSelector:
  ports: [50000]
  protocol: tcp
ingress:
  - subnet: 10.0.0.0/16
`;
    await writeFile(path.join(lab.info.files.provisioner, 'talos/workers/firewall.yaml'), patch);
    await fairleadJson(['lab', 'node', 'replace', worker, '--state', lab.state]);
    const node = (await lab.fresh()).nodes.find((n) => n.name === worker);
    expect((await inside(dial(node?.publicIPv4 ?? '', 50000))).stdout).toBe('silent\n');
    expect((await inside(dial(node?.privateIPv4 ?? '', 50000), plane(0).name)).stdout).toBe('accepted\n');
    expect((await inside(['nft', 'list', 'ruleset'], worker)).stdout).toContain('50000');
  });
});
