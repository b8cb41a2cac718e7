import { execFileSync } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { RequestRecord } from '../../lab/world/audit.ts';
import { fairlead, fairleadJson, type Ran, root, run, startLab, type TestLab } from './harness.ts';

let lab: TestLab;
let folder: string;

beforeAll(async () => {
  lab = await startLab(['--parts', 'built-in']);
  folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-bad-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await lab[Symbol.asyncDispose]();
});

type Config = Record<string, unknown> & { hetzner: Record<string, unknown> };

/** A copy of the user's files with something spoiled; the lab's own stay as they are. */
async function spoiled(
  change: (files: { dir: string; config: Config }) => void | Promise<void>,
  text?: (yaml: string) => string,
): Promise<string> {
  const dir = await mkdtemp(path.join(folder, 'case-'));
  for (const name of ['kubeconfig', 'talosconfig', 'hetzner-token', 'vip-token', 'provisioner']) {
    await cp(path.join(lab.state, name), path.join(dir, name), { recursive: true });
  }
  const config = parse(await readFile(lab.info.files.config, 'utf8')) as Config;
  await change({ dir, config });
  const yaml = stringify(config);
  const file = path.join(dir, 'fairlead.yaml');
  await writeFile(file, text === undefined ? yaml : text(yaml));
  return file;
}

/** `apply --yes` with it must be refused, and nothing may have changed anywhere. */
async function refused(
  config: string,
  options: { code: number; says: RegExp; runner?: (args: string[]) => Promise<Ran> },
): Promise<void> {
  const { mark } = await fairleadJson<{ mark: number }>(['lab', 'requests', '--state', lab.state]);
  const args = ['apply', '--yes', '--config', config];
  const ran = await (options.runner ?? fairlead)(args);
  expect(`${ran.stderr}\n${ran.stdout}`).toMatch(options.says);
  expect(ran.code, ran.stderr).toBe(options.code);
  const { requests } = await fairleadJson<{ requests: RequestRecord[] }>([
    'lab',
    'requests',
    '--state',
    lab.state,
    '--since',
    String(mark),
  ]);
  expect(requests.filter((r) => r.write && !r.by.startsWith('node/') && r.by !== 'lab')).toEqual([]);
  for (const token of [lab.info.hetzner.token, lab.info.hetzner.nodeToken])
    expect(ran.stdout + ran.stderr).not.toContain(token);
}

const setIn = (config: Config, where: string, value: unknown): void => {
  const keys = where.split('.');
  let at = config as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[keys.at(-1)!] = value;
};

describe('the configuration', () => {
  test('broken YAML is shown where it breaks', async () => {
    await refused(
      await spoiled(
        () => {},
        (yaml) => `${yaml}\nbroken: [\n`,
      ),
      { code: 2, says: /fairlead\.yaml:\d+:\d+: / },
    );
  });
  test('an unknown key is shown with the nearest valid one', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'hetzner.tokn', 'env:X')), {
      code: 2,
      says: /unknown key hetzner\.tokn; did you mean token\?/,
    });
  });
  test('a configuration newer than the tool is said to be that', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'apiVersion', 'fairlead/v2')), {
      code: 2,
      says: /apiVersion is fairlead\/v2, this tool reads fairlead\/v1alpha1/,
    });
  });
  test('a mode that is not built is refused by name', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'mode', 'guard')), { code: 4, says: /guard/ });
  });
  test('a secret in the file is refused and not repeated', async () => {
    const secret = 'S3cretS3cretS3cretS3cret';
    const config = await spoiled(({ config }) => setIn(config, 'hetzner.token', secret));
    await refused(config, { code: 2, says: /hetzner\.token: a reference/ });
    expect((await fairlead(['plan', '--config', config])).stderr).not.toContain(secret);
  });
});

describe('the cloud', () => {
  test('no token', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'hetzner.token', 'env:FAIRLEAD_TEST_UNSET')), {
      code: 2,
      says: /FAIRLEAD_TEST_UNSET is not set/,
    });
  });
  test('a token that the cloud does not know', async () => {
    await refused(await spoiled(({ dir }) => writeFile(path.join(dir, 'hetzner-token'), 'x'.repeat(64))), {
      code: 4,
      says: /unauthorized|not accepted|does not know/i,
    });
  });
  test('a read-only token', async () => {
    await refused(
      await spoiled(({ dir }) => writeFile(path.join(dir, 'hetzner-token'), lab.info.hetzner.readOnlyToken)),
      { code: 4, says: /read-only|only read/i },
    );
  });
  test('a read-only token for the nodes', async () => {
    await refused(await spoiled(({ dir }) => writeFile(path.join(dir, 'vip-token'), lab.info.hetzner.readOnlyToken)), {
      code: 4,
      says: /read-only|only read/i,
    });
  });
  test('an address that is not in this project', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'address', { adopt: { name: 'somebody-elses' } })), {
      code: 4,
      says: /somebody-elses/,
    });
  });
  test('delete protection that is refused ends the run before any node, kubeconfig or file is touched', async () => {
    const state = ['--state', lab.state];
    const { endpoint, token } = lab.info.hetzner;
    const headers = { authorization: `Bearer ${token}`, 'user-agent': 'fairlead-lab/test' };
    const where = '/floating_ips/*/actions/change_protection';
    await fairleadJson(['lab', 'fault', 'set', 'cloud-status', '--status', '403', '--path', where, ...state]);
    try {
      const config = await spoiled(() => {});
      const ran = await fairlead(['apply', '--yes', '--config', config]);
      expect(ran.code, ran.stderr).toBe(4);
      expect(ran.stderr).toMatch(/does not protect the address[^]*No node, kubeconfig or file was changed/);
    } finally {
      await fairleadJson(['lab', 'fault', 'clear', '--all', ...state]);
      const listed = await fetch(`${endpoint}/floating_ips`, { headers });
      const { floating_ips: addresses } = (await listed.json()) as { floating_ips: { id: number }[] };
      for (const { id } of addresses) await fetch(`${endpoint}/floating_ips/${id}`, { method: 'DELETE', headers });
    }
  });
  test('an address of that name that fairlead did not reserve', async () => {
    const { endpoint, token } = lab.info.hetzner;
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'user-agent': 'fairlead-lab/test',
    };
    const created = await fetch(`${endpoint}/floating_ips`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ type: 'ipv4', name: `${lab.info.name}-api`, home_location: 'fsn1' }),
    });
    const { floating_ip: address } = (await created.json()) as { floating_ip: { id: number } };
    try {
      await refused(await spoiled(() => {}), { code: 4, says: /did not reserve|not reserved by fairlead|adopt/ });
    } finally {
      await fetch(`${endpoint}/floating_ips/${address.id}`, { method: 'DELETE', headers });
    }
  });
  test('a cloud that does not answer', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'hetzner.endpoint', 'http://127.0.0.1:9/v1')), {
      code: 4,
      says: /127\.0\.0\.1:9|ECONNREFUSED|cloud/i,
    });
  });
});

describe('Talos and Kubernetes', () => {
  test('a talosconfig of another cluster', async () => {
    await using other = await startLab(['--parts', 'built-in', '--control-planes', '1', '--workers', '0']);
    const theirs = parse(await readFile(other.info.files.talosconfig, 'utf8')) as {
      context: string;
      contexts: Record<string, { endpoints: string[]; nodes: string[] }>;
    };
    const planes = lab.info.nodes.filter((n) => n.role === 'control-plane').map((n) => n.publicIPv4);
    const context = theirs.contexts[theirs.context]!;
    context.endpoints = planes;
    context.nodes = planes;
    await refused(await spoiled(({ dir }) => writeFile(path.join(dir, 'talosconfig'), stringify(theirs))), {
      code: 4,
      says: /certificate|authority|another cluster/i,
    });
  });
  test('an expired client certificate', async () => {
    await refused(
      await spoiled(async ({ dir }) => {
        const file = path.join(dir, 'talosconfig');
        const config = parse(await readFile(file, 'utf8')) as {
          context: string;
          contexts: Record<string, { crt: string; key: string }>;
        };
        const secrets = parse(await readFile(path.join(lab.state, 'provisioner/secrets.yaml'), 'utf8')) as {
          certs: { os: { crt: string; key: string } };
        };
        const { issue } = await import('../../lab/pki/pki.ts');
        const { fromTalosPair } = await import('../../lab/pki/keys.ts');
        const leaf = await issue(fromTalosPair(secrets.certs.os), {
          commonName: '',
          organizations: ['os:admin'],
          usages: ['clientAuth'],
          notBefore: new Date('2020-01-01'),
          notAfter: new Date('2020-02-01'),
        });
        const context = config.contexts[config.context]!;
        context.crt = Buffer.from(leaf.cert).toString('base64');
        context.key = Buffer.from(leaf.key).toString('base64');
        await writeFile(file, stringify(config));
      }),
      { code: 4, says: /expired/i },
    );
  });
  test('a kubeconfig without the context that is asked for', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'kubernetes.context', 'admin@nowhere')), {
      code: 2,
      says: /admin@nowhere/,
    });
  });
  test('a talosconfig without the context that is asked for', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'talos.context', 'nowhere')), {
      code: 2,
      says: /nowhere/,
    });
  });
  test('a kubeconfig that is no YAML', async () => {
    await refused(await spoiled(({ dir }) => writeFile(path.join(dir, 'kubeconfig'), 'apiVersion: [')), {
      code: 2,
      says: /kubeconfig/,
    });
  });
  test('a kubeconfig that is gone, not set or expired is no obstacle: Talos makes credentials for the run, and the plan says so', async () => {
    const expired = async (file: string): Promise<void> => {
      const config = parse(await readFile(file, 'utf8')) as { users: { user: Record<string, string> }[] };
      const secrets = parse(await readFile(path.join(lab.state, 'provisioner/secrets.yaml'), 'utf8')) as {
        certs: { k8s: { crt: string; key: string } };
      };
      const { issue } = await import('../../lab/pki/pki.ts');
      const { fromTalosPair } = await import('../../lab/pki/keys.ts');
      const leaf = await issue(fromTalosPair(secrets.certs.k8s), {
        commonName: 'admin',
        organizations: ['system:masters'],
        usages: ['clientAuth'],
        notBefore: new Date('2020-01-01'),
        notAfter: new Date('2020-02-01'),
      });
      const user = config.users[0]!.user;
      user['client-certificate-data'] = Buffer.from(leaf.cert).toString('base64');
      user['client-key-data'] = Buffer.from(leaf.key).toString('base64');
      await writeFile(file, stringify(config));
    };
    const cases: { change: (files: { dir: string; config: Config }) => void | Promise<void>; says: RegExp }[] = [
      { change: ({ dir }) => rm(path.join(dir, 'kubeconfig')), says: /is not there\. Talos on \S+ made/ },
      { change: ({ config }) => void delete config['kubernetes'], says: /is not set\. Talos on \S+ made/ },
      {
        change: ({ dir }) => expired(path.join(dir, 'kubeconfig')),
        says: /expired at 2020-02-01\S+\. Talos on \S+ made/,
      },
    ];
    for (const { change, says } of cases) {
      const ran = await fairlead(['plan', '--config', await spoiled(change)]);
      expect(ran.code, ran.stderr).toBe(0);
      expect(ran.stdout).toMatch(says);
    }
  });
  test('ksail with its switch on, beside the patches, is another owner of the address', async () => {
    const ksail = 'spec:\n  provider:\n    hetzner:\n      floatingIPEnabled: true\n';
    await refused(await spoiled(({ dir }) => writeFile(path.join(dir, 'provisioner', 'ksail.prod.yaml'), ksail)), {
      code: 4,
      says: /ksail assigns a floating IP[^]*ksail\.prod\.yaml:4/,
    });
  });
  test('an endpoint port that no API server listens on', async () => {
    await refused(await spoiled(({ config }) => setIn(config, 'endpoint', { port: 6444 })), {
      code: 4,
      says: /6444/,
    });
  });
});

describe('the place where it runs', () => {
  test('a state folder that cannot be written, and one on a full disk, are refused before anything is changed', async () => {
    await refused(
      await spoiled(async ({ dir, config }) => {
        await writeFile(path.join(dir, 'a-file'), '');
        setIn(config, 'state', 'a-file/state');
      }),
      { code: 1, says: /state/ },
    );

    const config = await spoiled(async ({ config: c }) => setIn(c, 'state', 'tiny'));
    const tiny = path.join(path.dirname(config), 'tiny');
    execFileSync('mkdir', ['-p', tiny]);
    // A disk of one page with a file on it that takes all, in a mount namespace of the test's own.
    const script = `mount -t tmpfs -o size=4096 none "$0" && head -c 4096 /dev/zero > "$0/full"; exec "$@"`;
    const onFullDisk = (args: string[]) =>
      run('unshare', ['-rm', 'sh', '-c', script, tiny, process.execPath, path.join(root, 'src/cli/main.ts'), ...args]);
    await refused(config, { code: 1, says: /ENOSPC|no space/i, runner: onFullDisk });
  });

  test('macOS cannot hold a lab, and is told so', async () => {
    const { startLoopback } = await import('../../lab/fabric/loopback.ts');
    const { systemRandom } = await import('../../src/base/random.ts');
    await expect(startLoopback({ random: systemRandom, platform: 'darwin' })).rejects.toThrow(/Linux/);
  });
});

describe('the cluster', () => {
  test('two control planes are refused: no quorum survives the loss of one', async () => {
    await using two = await startLab(['--parts', 'built-in', '--control-planes', '2', '--workers', '0']);
    const ran = await two.tool(['apply', '--yes']);
    expect(ran.code, ran.stderr).toBe(4);
    expect(ran.stdout + ran.stderr).toMatch(/2 control planes|three|odd/i);
  });

  test('a clock that is ten minutes off is named before anything is written', async () => {
    const node = lab.info.nodes.find((n) => n.role === 'control-plane')!;
    const state = ['--state', lab.state];
    await fairleadJson(['lab', 'fault', 'set', 'clock-skew', '--node', node.name, '--skew', '10m', ...state]);
    try {
      await refused(lab.info.files.config, { code: 4, says: new RegExp(`The clock of ${node.name} is 10 min ahead`) });
    } finally {
      await fairleadJson(['lab', 'fault', 'clear', '--all', ...state]);
    }
  });

  test('a worker with a VIP is refused, and the answer says which version accepts it', async () => {
    const worker = lab.info.nodes.find((n) => n.role === 'worker')!;
    const { createTalosClient } = await import('../../src/systems/talos/client.ts');
    const { parseTalosconfig, selectContext } = await import('../../src/systems/talos/talosconfig.ts');
    const { Redacted } = await import('../../src/base/redacted.ts');
    const text = await readFile(lab.info.files.talosconfig, 'utf8');
    const { ca, crt, key } = selectContext(parseTalosconfig(text, 'talosconfig'));
    const talos = createTalosClient({ address: worker.publicIPv4, ca, crt, key });
    const before = (await talos.machineConfig('active'))!.text;
    const vip = '---\napiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: 198.51.100.9\nlink: enp1s0\napiToken: t\n';
    try {
      await talos.applyConfiguration(new Redacted(`${before.reveal()}${vip}`), 'no-reboot');
      await refused(lab.info.files.config, { code: 4, says: /has a VIP entry for 198\.51\.100\.9[^]*from 1\.12 on/ });
    } finally {
      await talos.applyConfiguration(before, 'no-reboot');
      talos.close();
    }
  });

  test('a node that cannot be reached closes the gate', async () => {
    const node = lab.info.nodes.find((n) => n.role === 'control-plane')!;
    await fairleadJson(['lab', 'node', 'power-off', node.name, '--state', lab.state]);
    try {
      await refused(lab.info.files.config, {
        code: 4,
        says: new RegExp(`${node.name}.*\n.*\n.*--allow-degraded: .*one API server at a time`),
      });
      const plan = await fairlead(['plan', '--allow-degraded', '--config', lab.info.files.config]);
      expect(plan.code, plan.stderr).toBe(0);
      expect(plan.stdout).toMatch(new RegExp(`Degraded: .*${node.name} is left as it is`));
      expect(plan.stdout).not.toMatch(new RegExp(`Certificate names on ${node.name}`));
      // A silent node makes every look last seconds: Ctrl-C must not.
      for (const command of [
        ['plan'],
        ['verify'],
        ['status'],
        ['apply', '--yes'],
        ['kubeconfig', '--stdout'],
        ['talosconfig', '--stdout'],
      ]) {
        const ran = await fairlead([...command, '--config', lab.info.files.config], {
          interrupt: { signal: 'SIGINT', afterMs: 1_500 },
        });
        expect(ran.code, `${command.join(' ')}: ${ran.stderr}`).toBe(130);
        expect(ran.stderr).toMatch(/Interrupted/);
        expect(ran.stderr).toMatch(/Nothing was changed|nothing was (changed|begun)/i);
      }
    } finally {
      await fairleadJson(['lab', 'node', 'power-on', node.name, '--state', lab.state]);
    }
  });
});
