import { connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { waitFor } from '../../../src/base/retry.ts';
import { fromBase64, fromTalosPair } from '../../pki/keys.ts';
import { issue } from '../../pki/pki.ts';
import { startSmallWorld, type SmallWorld, type WorldNode } from '../testing/small-world.ts';

interface Answer {
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  /** The stream ended with the headers frame. */
  readonly headersOnly: boolean;
  readonly body: Buffer;
}

const VERSION = '/machine.MachineService/Version';

describe('the Talos API under clients of grpc-go', () => {
  let world: SmallWorld;
  let cp: WorldNode;
  const sessions: ClientHttp2Session[] = [];

  beforeAll(async () => {
    world = await startSmallWorld({ version: 'v1.13.9', speed: 30 });
    cp = await world.add('cp-1', 'control-plane', 'founding');
    await world.ready(cp);
  });
  afterEach(() => {
    for (const session of sessions.splice(0)) session.destroy();
  });
  afterAll(() => world.close());

  const open = async (): Promise<ClientHttp2Session> => {
    const now = Date.now();
    const pair = await issue(fromTalosPair(world.secrets.certs.os), {
      commonName: '',
      organizations: ['os:admin'],
      usages: ['clientAuth'],
      notBefore: new Date(now - 10_000),
      notAfter: new Date(now + 3_600_000),
    });
    const ca = fromBase64(world.secrets.certs.os.crt);
    const session = connect(`https://${cp.server.publicIPv4}:50000`, { ...pair, ca, maxSessionMemory: 128 });
    session.on('error', () => {});
    sessions.push(session);
    await once(session, 'connect');
    return session;
  };

  const frame = (length: number): Buffer => {
    const bytes = Buffer.alloc(length + 5);
    bytes.writeUInt32BE(length, 1);
    return bytes;
  };

  const call = async (
    session: ClientHttp2Session,
    headers: Record<string, string>,
    body = frame(0),
  ): Promise<Answer> => {
    const stream = session.request({
      ':method': 'POST',
      ':path': VERSION,
      'content-type': 'application/grpc',
      te: 'trailers',
      'grpc-accept-encoding': 'gzip',
      'user-agent': 'grpc-go/1.82.1',
      ...headers,
    });
    stream.on('error', () => {});
    let trailers: IncomingHttpHeaders = {};
    stream.on('trailers', (received) => (trailers = received));
    stream.end(body);
    const [received, flags] = (await once(stream, 'response')) as [IncomingHttpHeaders, number];
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    await once(stream, 'end');
    stream.close();
    const headersOnly = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    return { headers: received, trailers, headersOnly, body: Buffer.concat(parts) };
  };

  it.each(['::1', '[::1]:50000', '127.0.0.1', 'node.example.net:50000', '%zz'])(
    'answers under the authority %s',
    async (authority) => {
      const { trailers } = await call(await open(), { ':authority': authority });
      expect(trailers['grpc-status']).toBe('0');
    },
  );

  it.each(['/machine.MachineService/Nonsense', '/nonsense.Service/Call', '/', '//', '/a/b/c'])(
    'tells in the headers alone that %s is not there, and goes on',
    async (path) => {
      const session = await open();
      const { headers, headersOnly } = await call(session, { ':path': path });
      expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' });
      expect(headersOnly).toBe(true);
      expect((await call(session, {})).trailers['grpc-status']).toBe('0');
    },
  );

  it('answers without compression, which clients offer', async () => {
    const request = Buffer.concat([frame(0)]);
    const { headers, body } = await call(await open(), { ':path': '/machine.MachineService/ServiceList' }, request);
    expect(headers['grpc-encoding'] ?? 'identity').toBe('identity');
    expect(body.length).toBeGreaterThan(100);
    expect(body[0]).toBe(0);
  });

  it('refuses a message above 32 MiB, as a status', async () => {
    const { headers, trailers } = await call(
      await open(),
      { ':path': '/machine.MachineService/ApplyConfiguration' },
      frame(32 * 1024 * 1024 + 1),
    );
    expect(trailers['grpc-status'] ?? headers['grpc-status']).toBe('8');
  });

  it('lives through clients that speak something else', async () => {
    for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\u0016\u0003\u0001\0', '']) {
      const socket = connectTcp(50_000, cp.server.publicIPv4);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.end(bytes);
      socket.resume();
      await once(socket, 'close');
    }
    const session = await open();
    const broken = await call(session, { 'content-type': 'text/plain' });
    expect(broken.headers[':status']).toBe(415);
    expect((await call(session, {}, Buffer.from('not a message'))).trailers['grpc-status']).not.toBe('0');
    expect((await call(session, { 'grpc-timeout': 'soon' })).trailers['grpc-status']).not.toBe('0');
    expect((await call(session, {})).trailers['grpc-status']).toBe('0');
  });

  it('ends every session when it goes down, those that follow too', async () => {
    const session = await open();
    const stream = session.request({
      ':method': 'POST',
      ':path': '/machine.MachineService/Events',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.on('error', () => {});
    stream.resume();
    stream.end(frame(0));
    await call(session, {});
    await cp.node.shutdown();
    const gone = await waitFor(
      systemClock,
      { everyMs: 10, timeoutMs: 5_000 },
      async () => session.destroyed || undefined,
    );
    expect(gone).toBe(true);
  });
});
