import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { generateKeyPairSync } from 'node:crypto';
import { createAuthority, issue } from '../../lab/pki/pki.ts';
import type { KeyPair } from '../../lab/pki/types.ts';
import { preparedPrograms } from '../../lab/kubernetes/api-server/find.ts';
import type {
  ApiServerPart,
  ApiServerSpec,
  EtcdPart,
  EtcdSpec,
  RunningPart,
  TlsFiles,
} from '../../lab/kubernetes/types.ts';
import { createAudit, type Audit } from '../../lab/world/audit.ts';
import { systemClock } from '../../src/base/clock.ts';
import { pickInteger, systemRandom } from '../../src/base/random.ts';
import { waitFor } from '../../src/base/retry.ts';

const HOUR = 3_600_000;
export const NEW = 'https://new.lab.test:6443';
export const OLD = 'https://old.lab.test:6443';

export interface Mix {
  readonly etcd: EtcdPart;
  readonly apiServer: ApiServerPart;
}

export interface Who {
  readonly cert?: string;
  readonly key?: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

// The shape of an answer is what the tests are about; reading it freely keeps them short.
// oxlint-disable-next-line typescript/no-explicit-any
export type Body = any;

export interface Reply {
  readonly status: number;
  readonly body: Body;
  readonly text: string;
}

export interface TestServer {
  readonly address: string;
  readonly url: string;
  readonly spec: ApiServerSpec;
  part: RunningPart;
  readonly audit: Audit;
  readonly tls: { readonly cert: string; readonly key: string };
}

export interface Cluster {
  readonly dir: string;
  readonly ca: KeyPair;
  readonly admin: KeyPair;
  readonly etcdSpec: EtcdSpec;
  etcd: RunningPart;
  /** Issuers [NEW, OLD], nobody anonymous. */
  readonly both: TestServer;
  /** Issuer OLD alone, anonymous allowed. */
  readonly old: TestServer;
  leaf(
    organizations: readonly string[],
    commonName: string,
    valid?: { notBefore: Date; notAfter: Date },
  ): Promise<KeyPair>;
  serving(address: string, more?: readonly string[]): Promise<KeyPair>;
  kubeconfig(server: TestServer): Promise<string>;
  close(): Promise<void>;
}

const VALID = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(Date.now() + 24 * HOUR) };
export const EXPIRED = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) };

/** Loopback addresses that no lab uses (127.64.0.0/10) and that two runs seldom share. */
const loopback = (): string =>
  `127.${pickInteger(systemRandom, 130, 250)}.${pickInteger(systemRandom, 1, 250)}.${pickInteger(systemRandom, 1, 250)}`;

/** One etcd member and two API servers on it. */
export async function startCluster(mix: Mix): Promise<Cluster> {
  const dir = await mkdtemp(path.join(tmpdir(), 'fairlead-api-'));
  const write = async (name: string, text: string): Promise<string> => {
    const file = path.join(dir, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text, { mode: 0o600 });
    return file;
  };
  const pair = async (name: string, { cert, key }: KeyPair, ca: KeyPair): Promise<TlsFiles> => ({
    ca: await write(`${name}.ca`, ca.cert),
    cert: await write(`${name}.crt`, cert),
    key: await write(`${name}.key`, key),
  });
  const [ca, etcdCa, proxyCa] = await Promise.all([
    createAuthority('ecdsa', { organization: 'kubernetes', ...VALID }),
    createAuthority('ecdsa', { organization: 'etcd', ...VALID }),
    createAuthority('ecdsa', { ...VALID }),
  ]);
  const usages = ['serverAuth', 'clientAuth'] as const;
  const etcdAddress = loopback();
  const member = await issue(etcdCa, { commonName: 'member', usages, ipAddresses: [etcdAddress], ...VALID });
  const files = await pair('etcd', member, etcdCa);
  const etcdSpec: EtcdSpec = {
    name: 'cp-1',
    dataDir: path.join(dir, 'etcd'),
    listen: etcdAddress,
    advertise: etcdAddress,
    initialCluster: [{ name: 'cp-1', peerURL: `https://${etcdAddress}:2380` }],
    initialClusterState: 'new',
    initialClusterToken: path.basename(dir),
    server: files,
    peer: files,
    log: path.join(dir, 'etcd.log'),
    restart: false,
  };
  const etcd = await mix.etcd.start(etcdSpec);
  const accounts = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const accountKey = await write('service-account.key', accounts.privateKey);
  const clientCa = await write('ca.crt', ca.cert);
  const requestHeaderCa = await write('aggregator-ca.crt', proxyCa.cert);
  const serving = (address: string, more: readonly string[] = []): Promise<KeyPair> =>
    issue(ca, {
      commonName: 'kube-apiserver',
      usages: ['serverAuth'],
      dnsNames: ['kubernetes', 'localhost', ...more],
      ipAddresses: [address],
      ...VALID,
    });

  const start = async (node: string, issuers: readonly string[], anonymous: boolean): Promise<TestServer> => {
    const address = loopback();
    const tls = await pair(`${node}/apiserver`, await serving(address), ca);
    const audit = createAudit(undefined, () => new Date());
    const spec: ApiServerSpec = {
      node,
      dir: path.join(dir, node),
      log: path.join(dir, `${node}.log`),
      audit,
      args: [
        `--bind-address=${address}`,
        '--secure-port=6443',
        `--advertise-address=192.0.2.${node === 'cp-1' ? 1 : 2}`,
        `--etcd-servers=https://${etcdAddress}:2379`,
        `--etcd-cafile=${files.ca}`,
        `--etcd-certfile=${files.cert}`,
        `--etcd-keyfile=${files.key}`,
        `--tls-cert-file=${tls.cert}`,
        `--tls-private-key-file=${tls.key}`,
        `--client-ca-file=${clientCa}`,
        `--anonymous-auth=${anonymous}`,
        ...issuers.map((issuer) => `--service-account-issuer=${issuer}`),
        `--api-audiences=${issuers.join(',')}`,
        `--service-account-key-file=${accountKey}`,
        `--service-account-signing-key-file=${accountKey}`,
        `--requestheader-client-ca-file=${requestHeaderCa}`,
        '--requestheader-allowed-names=front-proxy-client',
        '--requestheader-username-headers=X-Remote-User',
        '--requestheader-group-headers=X-Remote-Group',
        '--requestheader-extra-headers-prefix=X-Remote-Extra-',
        '--service-cluster-ip-range=10.96.0.0/12',
        '--authorization-mode=Node,RBAC',
        '--enable-admission-plugins=NodeRestriction',
      ],
    };
    const part = await mix.apiServer.start(spec);
    return { address, url: `https://${address}:6443`, spec, part, audit, tls };
  };
  const [both, old] = await Promise.all([start('cp-1', [NEW, OLD], false), start('cp-2', [OLD], true)]);
  const leaf: Cluster['leaf'] = (organizations, commonName, valid = VALID) =>
    issue(ca, { commonName, organizations, usages: ['clientAuth'], ...valid });
  const admin = await leaf(['system:masters'], 'admin');
  const cluster: Cluster = {
    dir,
    ca,
    admin,
    etcdSpec,
    etcd,
    both,
    old,
    leaf,
    serving,
    async kubeconfig(server) {
      const data = (text: string): string => Buffer.from(text).toString('base64');
      return await write(
        `${server.spec.node}.kubeconfig`,
        JSON.stringify({
          apiVersion: 'v1',
          kind: 'Config',
          'current-context': 'lab',
          clusters: [{ name: 'lab', cluster: { server: server.url, 'certificate-authority-data': data(ca.cert) } }],
          users: [
            {
              name: 'admin',
              user: { 'client-certificate-data': data(admin.cert), 'client-key-data': data(admin.key) },
            },
          ],
          contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'admin' } }],
        }),
      );
    },
    async close() {
      await Promise.all([both.part.kill(), old.part.kill()]);
      await cluster.etcd.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
  for (const server of [both, old])
    await eventually(async () => (await call(cluster, server, 'GET', '/readyz')).status === 200);
  return cluster;
}

export async function eventually(holds: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const found = await waitFor(systemClock, { everyMs: 50, timeoutMs }, async () =>
    (await holds().catch(() => false)) ? true : undefined,
  );
  if (found === undefined) throw new Error(`did not come true within ${timeoutMs} ms: ${holds.toString()}`);
}

const optionsOf = (cluster: Cluster, who: Who) => ({
  ca: cluster.ca.cert,
  agent: false as const,
  ...(who.cert === undefined ? {} : { cert: who.cert, key: who.key }),
});

export interface CallOptions {
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
  readonly who?: Who;
  readonly timeoutMs?: number;
}

/** One request on a connection of its own; the admin's unless `who` says otherwise (`{}`: nobody's). */
export function call(
  cluster: Cluster,
  server: TestServer,
  method: string,
  url: string,
  options: CallOptions = {},
): Promise<Reply> {
  const who = options.who ?? cluster.admin;
  const payload = options.body === undefined ? undefined : JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      `${server.url}${url}`,
      {
        method,
        ...optionsOf(cluster, who),
        timeout: options.timeoutMs ?? 15_000,
        headers: {
          'user-agent': 'conformance/1',
          ...('headers' in who ? who.headers : {}),
          ...('token' in who && who.token !== undefined ? { authorization: `Bearer ${who.token}` } : {}),
          ...(options.accept === undefined ? {} : { accept: options.accept }),
          ...(payload === undefined
            ? {}
            : { 'content-type': options.type ?? 'application/json', 'content-length': Buffer.byteLength(payload) }),
        },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('error', reject);
        response.on('end', () => {
          const json = (response.headers['content-type'] ?? '').includes('json');
          resolve({ status: response.statusCode ?? 0, text, body: json ? JSON.parse(text) : undefined });
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', reject);
    request.end(payload);
  });
}

/** Follows a watch until it is closed; events in the order they came. */
export async function follow(
  cluster: Cluster,
  server: TestServer,
  url: string,
  accept = 'application/json',
): Promise<{ readonly events: { readonly type: string; readonly object: Body }[]; close(): void }> {
  const events: { type: string; object: Body }[] = [];
  return await new Promise((resolve, reject) => {
    const request = httpsRequest(
      `${server.url}${url}`,
      { ...optionsOf(cluster, cluster.admin), headers: { accept } },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`watch: ${response.statusCode ?? 0}`));
        let rest = '';
        response.on('data', (chunk: Buffer) => {
          const lines = (rest + chunk.toString()).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line !== '') events.push(JSON.parse(line));
        });
        response.on('error', () => {});
        resolve({ events, close: () => request.destroy() });
      },
    );
    request.on('error', reject);
    request.end();
  });
}

/** The certificate that the server shows now. */
export function shownCertificate(cluster: Cluster, server: TestServer): Promise<PeerCertificate> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: server.address, port: 6443, ca: cluster.ca.cert }, () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

export interface Kubectl {
  readonly name: string;
  readonly file: string | undefined;
}

async function program(...files: readonly string[]): Promise<string | undefined> {
  for (const file of files) {
    const found = await access(file).then(
      () => true,
      () => false,
    );
    if (found) return file;
  }
  return undefined;
}

/** The kubectl that scripts/prepare provides. */
export async function findKubectls(): Promise<readonly Kubectl[]> {
  const folder = preparedPrograms(process.env);
  return [
    { name: 'kubectl 1.20', file: await program(path.join(folder, 'kubectl-1.20')) },
    { name: 'kubectl 1.34', file: await program(path.join(folder, 'kubectl-v1.34.4')) },
    { name: 'kubectl 1.36', file: await program(path.join(folder, 'kubectl-v1.36.3')) },
  ];
}

/** Runs kubectl in a home of its own; stdout, stderr and exit code, never a throw. */
export function kubectl(
  cluster: Cluster,
  file: string,
  kubeconfig: string,
  ...args: readonly string[]
): Promise<{ readonly out: string; readonly error: string; readonly code: number }> {
  return new Promise((resolve) => {
    execFile(
      file,
      ['--kubeconfig', kubeconfig, '--request-timeout=10s', ...args],
      {
        timeout: 30_000,
        env: { PATH: process.env['PATH'], HOME: path.join(cluster.dir, `home-${path.basename(file)}`) },
      },
      (failure, out, error) => resolve({ out, error, code: failure === null ? 0 : Number(failure.code ?? 1) }),
    );
  });
}
