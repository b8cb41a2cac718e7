import { createServer, type ServerOptions } from 'node:http2';
import http2 from 'node:http2';
import net from 'node:net';
import { gzipSync } from 'node:zlib';
import { create, toBinary } from '@bufbuild/protobuf';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createAuthority, issue } from '../../../lab/pki/pki.ts';
import { talosKey } from '../../../lab/pki/keys.ts';
import type { KeyPair } from '../../../lab/pki/types.ts';
import { Redacted } from '../../base/redacted.ts';
import { State } from '../../generated/cosi/state_pb.ts';
import { ApplyConfigurationRequest_Mode, MachineService } from '../../generated/machine/machine_pb.ts';
import { MachineConfigSpecSchema } from '../../generated/resource/config/config_pb.ts';
import { createTalosClient } from './client.ts';
import { TalosError } from './errors.ts';
import { tarOf } from './tar.testing.ts';

const HOUR = 3_600_000;
const validity = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(Date.now() + HOUR) };

let ca: KeyPair;
let otherCa: KeyPair;
let server: KeyPair;
let admin: KeyPair;

beforeAll(async () => {
  ca = await createAuthority('ed25519', { organization: 'talos', ...validity });
  otherCa = await createAuthority('ed25519', { organization: 'talos', ...validity });
  server = await issue(ca, { commonName: 'cp-1', ipAddresses: ['127.0.0.1'], usages: ['serverAuth'], ...validity });
  admin = await clientOf(ca, validity);
});

const clientOf = (authority: KeyPair, dates: typeof validity): Promise<KeyPair> =>
  issue(authority, { commonName: '', organizations: ['os:admin'], usages: ['clientAuth'], ...dates });

const open: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

interface Node {
  machine?: Partial<ServiceImpl<typeof MachineService>>;
  state?: Partial<ServiceImpl<typeof State>>;
}

/** A small Talos API: real gRPC, real mutual TLS, the answers given by the test. */
async function node(routes: Node, tls: ServerOptions & Record<string, unknown> = {}): Promise<number> {
  const listener = http2.createSecureServer(
    { key: server.key, cert: server.cert, ca: ca.cert, requestCert: true, rejectUnauthorized: true, ...tls },
    connectNodeAdapter({
      grpc: true,
      connect: false,
      grpcWeb: false,
      readMaxBytes: 32 * 1024 * 1024,
      writeMaxBytes: 32 * 1024 * 1024,
      routes: (router) => {
        router.service(MachineService, routes.machine ?? {});
        router.service(State, routes.state ?? {});
      },
    }),
  );
  const sessions = new Set<http2.ServerHttp2Session>();
  listener.on('session', (session) => sessions.add(session));
  await new Promise<void>((done) => listener.listen(0, '127.0.0.1', done));
  open.push(() => {
    for (const session of sessions) session.destroy();
    listener.close();
  });
  return portOf(listener);
}

const portOf = (listener: { address(): unknown }): number => (listener.address() as net.AddressInfo).port;

function dial(port: number, pair: Partial<KeyPair> = admin, authority = ca, timeoutMs = 3000) {
  const client = createTalosClient({
    address: '127.0.0.1',
    port,
    ca: authority.cert,
    timeoutMs,
    ...(pair.cert === undefined ? {} : { crt: pair.cert }),
    // As Talos spells it, so that every test shows that such keys can be used.
    ...(pair.key === undefined ? {} : { key: new Redacted(talosKey(pair.key)) }),
  });
  open.push(() => client.close());
  return client;
}

async function failure(promise: Promise<unknown>): Promise<TalosError> {
  const error: unknown = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(TalosError);
  return error as TalosError;
}

describe('calls', () => {
  test('every call names fairlead as its user agent and carries no node header', async () => {
    const seen: (string | null)[] = [];
    const port = await node({
      machine: {
        version: (_request, context) => {
          seen.push(context.requestHeader.get('user-agent'), context.requestHeader.get('node'));
          return { messages: [{ version: { tag: 'v1.13.9' }, platform: { name: 'hcloud' } }] };
        },
      },
    });
    expect(await dial(port).version()).toEqual({ tag: 'v1.13.9', platform: 'hcloud' });
    expect(seen).toEqual(['fairlead/0.1.0', null]);
  });

  test('member ids above 2^53 arrive whole', async () => {
    const id = 0xfedc_ba98_7654_3210n;
    const port = await node({
      machine: {
        etcdMemberList: (request) => ({
          messages: [
            { members: [{ id, hostname: request.queryLocal ? 'local' : 'cluster', peerUrls: ['https://a:2380'] }] },
          ],
        }),
        etcdStatus: () => ({ messages: [{ memberStatus: { memberId: id, leader: id, raftTerm: 7n, errors: ['x'] } }] }),
        etcdAlarmList: () => ({ messages: [{ memberAlarms: [{ memberId: id, alarm: 1 }, { alarm: 0 }] }] }),
      },
    });
    const client = dial(port);
    expect(await client.etcdMembers()).toEqual([
      { id, hostname: 'local', peerUrls: ['https://a:2380'], clientUrls: [], isLearner: false },
    ]);
    expect(await client.etcdStatus()).toMatchObject({ memberId: id, leader: id, raftTerm: 7n, errors: ['x'] });
    expect(await client.etcdAlarms()).toEqual([{ memberId: id, alarm: 'NOSPACE' }]);
  });

  test.each([
    ['no-reboot', ApplyConfigurationRequest_Mode.NO_REBOOT],
    ['staged', ApplyConfigurationRequest_Mode.STAGED],
    ['try', ApplyConfigurationRequest_Mode.TRY],
    ['auto', ApplyConfigurationRequest_Mode.AUTO],
  ] as const)('apply %s sends that mode and the exact bytes', async (mode, number) => {
    const seen: unknown[] = [];
    const port = await node({
      machine: {
        applyConfiguration: (r) => {
          seen.push([r.mode, new TextDecoder().decode(r.data), r.dryRun, r.tryModeTimeout?.seconds]);
          return { messages: [{ warnings: ['w'], modeDetails: 'diff' }] };
        },
      },
    });
    const answer = await dial(port).applyConfiguration(new Redacted('a: 1 # ü\n'), mode, {
      dryRun: true,
      tryTimeoutMs: 90_000,
    });
    expect(seen).toEqual([[number, 'a: 1 # ü\n', true, 90n]]);
    expect(answer.warnings).toEqual(['w']);
    expect(answer.details.reveal()).toBe('diff');
  });

  test('the kubeconfig comes out of the gzip-compressed tar, whatever the stream is cut into', async () => {
    const text = `apiVersion: v1\n# ${'x'.repeat(3000)}\n`;
    const archive = gzipSync(tarOf([{ name: 'kubeconfig', content: text }]));
    const port = await node({
      machine: {
        async *kubeconfig() {
          for (let i = 0; i < archive.length; i += 17) yield { bytes: archive.subarray(i, i + 17) };
        },
      },
    });
    expect((await dial(port).kubeconfig()).reveal()).toBe(text);
  });

  test('machine configs are the submitted bytes of the protobuf spec, and absent ones are undefined', async () => {
    const submitted = 'version: v1alpha1 # as typed\r\n---\n';
    const port = await node({
      state: {
        get: (request) => {
          if (request.id !== 'v1alpha1') throw new ConnectError('resource not found', Code.NotFound);
          return {
            resource: {
              metadata: { namespace: request.namespace, type: request.type, id: request.id, version: '3' },
              spec: {
                protoSpec: toBinary(
                  MachineConfigSpecSchema,
                  create(MachineConfigSpecSchema, { yamlMarshalled: new TextEncoder().encode(submitted) }),
                ),
                yamlSpec: '"something else"',
              },
            },
          };
        },
      },
    });
    const client = dial(port);
    const config = await client.machineConfig('active');
    expect(config?.text.reveal()).toBe(submitted);
    expect(config?.version).toBe('3');
    expect(await client.machineConfig('persistent')).toBeUndefined();
  });

  test('resources come with their YAML parsed; lists are streams', async () => {
    const port = await node({
      state: {
        async *list() {
          for (const id of ['a', 'b']) {
            yield {
              resource: {
                metadata: { namespace: 'network', type: 'T', id, version: '1', phase: 'running' },
                spec: { yamlSpec: `address: 10.0.0.1/32\nid: ${id}\n` },
              },
            };
          }
        },
      },
    });
    const found = await dial(port).list('network', 'T');
    expect(found.map((r) => r.spec)).toEqual([
      { address: '10.0.0.1/32', id: 'a' },
      { address: '10.0.0.1/32', id: 'b' },
    ]);
  });

  test('a message of 8 MiB passes, as Talos allows', async () => {
    const size = 8 * 1024 * 1024;
    const port = await node({
      machine: {
        async *etcdSnapshot() {
          yield { bytes: new Uint8Array(size) };
        },
      },
    });
    let total = 0;
    for await (const part of dial(port).etcdSnapshot()) total += part.length;
    expect(total).toBe(size);
  });
});

describe('errors', () => {
  test('an error inside a message is an error, with the class its status names', async () => {
    const port = await node({
      machine: {
        etcdStatus: () => ({
          messages: [{ metadata: { hostname: 'cp-2', error: 'etcd is not running', status: { code: 9 } } }],
        }),
        async *kubeconfig() {
          yield { metadata: { error: 'no certificate authority here' } };
        },
      },
    });
    const client = dial(port);
    expect(await failure(client.etcdStatus())).toMatchObject({
      code: 'refused',
      message: '127.0.0.1: etcd is not running',
    });
    expect(await failure(client.kubeconfig())).toMatchObject({ code: 'other' });
  });

  test.each([
    [Code.PermissionDenied, 'permission-denied'],
    [Code.InvalidArgument, 'refused'],
    [Code.FailedPrecondition, 'refused'],
    [Code.Unimplemented, 'unimplemented'],
    [Code.NotFound, 'not-found'],
    [Code.Unauthenticated, 'unauthenticated'],
  ] as const)('gRPC code %i is %s', async (code, expected) => {
    const port = await node({
      machine: {
        hostname: () => {
          throw new ConnectError('said the node', code);
        },
      },
    });
    const error = await failure(dial(port).hostname());
    expect(error).toMatchObject({ code: expected, message: '127.0.0.1: said the node' });
  });

  test('a call that the node does not offer is unimplemented', async () => {
    expect((await failure(dial(await node({})).bootTime())).code).toBe('unimplemented');
  });

  test('no client certificate, a foreign one, an expired one, a foreign server and a foreign name are told apart', async () => {
    const port = await node({ machine: { hostname: () => ({ messages: [{ hostname: 'x' }] }) } });
    const old = { notBefore: new Date(Date.now() - 2 * HOUR), notAfter: new Date(Date.now() - HOUR) };
    const elsewhere = await issue(ca, {
      commonName: 'x',
      ipAddresses: ['192.0.2.1'],
      usages: ['serverAuth'],
      ...validity,
    });
    const misnamed = await node({}, { key: elsewhere.key, cert: elsewhere.cert });
    const reasons = [
      await failure(dial(port, {}).hostname()),
      await failure(dial(port, await clientOf(otherCa, validity)).hostname()),
      await failure(dial(port, await clientOf(ca, old)).hostname()),
      await failure(dial(port, admin, otherCa).hostname()),
      await failure(dial(misnamed).hostname()),
    ];
    expect(reasons.map((e) => e.code)).toEqual(Array.from({ length: 5 }, () => 'unauthenticated'));
    expect(reasons.map((e) => e.reason)).toEqual([
      'client-certificate-missing',
      'client-certificate-refused',
      'client-certificate-expired',
      'server-untrusted',
      'server-name',
    ]);
    expect(new Set(reasons.map((e) => e.message)).size).toBe(5);
    expect(reasons.map((e) => e.message).join()).not.toContain('SSL routines');
  });

  test('TLS 1.2 servers that send alerts give the same reasons', async () => {
    const port = await node({}, { maxVersion: 'TLSv1.2' });
    expect(await failure(dial(port, {}).hostname())).toMatchObject({ reason: 'client-certificate-missing' });
  });

  test('a port where nobody listens is unreachable', async () => {
    const probe = net.createServer();
    await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
    const port = portOf(probe);
    await new Promise((done) => probe.close(done));
    expect(await failure(dial(port).hostname())).toMatchObject({ code: 'unreachable' });
  });

  test('a host that accepts and says nothing times out, and the next call dials anew', async () => {
    const sockets: net.Socket[] = [];
    const silent = net.createServer((socket) => sockets.push(socket));
    await new Promise<void>((done) => silent.listen(0, '127.0.0.1', done));
    open.push(() => {
      for (const socket of sockets) socket.destroy();
      silent.close();
    });
    const client = dial(portOf(silent), admin, ca, 200);
    expect(await failure(client.hostname())).toMatchObject({
      code: 'timeout',
      message: '127.0.0.1: no answer within 200 ms',
    });
    expect((await failure(client.hostname())).code).toBe('timeout');
    expect(sockets).toHaveLength(2);
  });

  test('a plain HTTP/2 server without TLS is not mistaken for a node', async () => {
    const plain = createServer();
    await new Promise<void>((done) => plain.listen(0, '127.0.0.1', done));
    open.push(() => void plain.close());
    expect(await failure(dial(portOf(plain)).hostname())).toBeInstanceOf(TalosError);
  });

  test('an abort by the caller comes back as the caller’s own reason', async () => {
    const port = await node({ machine: { hostname: () => new Promise(() => {}) } });
    const reason = new Error('Ctrl-C');
    await expect(dial(port).hostname(AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    await expect(dial(port).hostname(controller.signal)).rejects.toBe(reason);
  });
});
