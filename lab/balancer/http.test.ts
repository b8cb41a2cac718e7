import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { CloudHttp, CloudService } from '../cloud/types.ts';
import { createRedirect } from './http-front.ts';
import {
  cleanups,
  cleanUp,
  healthy,
  httpMachine,
  type Machine,
  plainMachine,
  serverPair,
  serviceOf,
  targetsOf,
  tcpCheck,
  until,
  type World,
  world,
} from './testing.ts';

afterEach(cleanUp);

const RULES: CloudHttp = {
  stickySessions: false,
  cookieName: 'HCLBSTICKY',
  cookieLifetime: 300,
  redirectHTTP: false,
  timeoutIdle: 60,
  certificates: [],
};
const service = (rules: Partial<CloudHttp> = {}, more: Partial<CloudService> = {}): CloudService =>
  serviceOf(tcpCheck, { protocol: 'http', listenPort: 8080, http: { ...RULES, ...rules }, ...more });

/** Says who it is and what it was asked. */
const mirror =
  (name: string): http.RequestListener =>
  (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      response.setHeader('x-target', name);
      response.setHeader('set-cookie', 'own=1');
      response.writeHead(request.url === '/teapot' ? 418 : 200, 'As asked');
      response.end(JSON.stringify({ name, method: request.method, url: request.url, headers: request.headers, body }));
    });
  };

interface Heard {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  /** Of the mirror. */
  readonly seen: { readonly name: string; readonly headers: Readonly<Record<string, string>>; readonly body: string };
}
function ask(w: World, options: https.RequestOptions & { body?: string; tls?: boolean } = {}): Promise<Heard> {
  return new Promise((resolve, reject) => {
    const { body, tls = false, ...rest } = options;
    const request = (tls ? https : http).request({ host: w.address, port: 8080, agent: false, ...rest }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          seen: text.startsWith('{') ? (JSON.parse(text) as Heard['seen']) : { name: '', headers: {}, body: '' },
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}
async function withTargets(w: World, ...names: string[]): Promise<Machine[]> {
  const machines = [];
  for (const name of names) machines.push(await httpMachine(w.net, name, mirror(name)));
  await w.describe({ targets: targetsOf(...machines) });
  await healthy(w, ...machines);
  return machines;
}

describe('an http service', () => {
  test('balances requests, not connections, and tells targets who asked and how', async () => {
    const w = await world([service()]);
    await withTargets(w, 'a', 'b');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    cleanups.push(() => agent.destroy());
    const names = [];
    for (let n = 0; n < 4; n += 1) names.push((await ask(w, { agent })).seen.name);
    expect(names).toEqual(['a', 'b', 'a', 'b']);
    const asked = await ask(w, {
      method: 'POST',
      path: '/teapot?x=1',
      headers: { host: 'api.example.com', 'x-forwarded-for': '192.0.2.1', connection: 'x-private', 'x-private': '1' },
      body: 'hello',
    });
    expect(asked.seen).toMatchObject({ method: 'POST', url: '/teapot?x=1', body: 'hello' });
    expect(asked.seen.headers).toMatchObject({
      host: 'api.example.com',
      'x-forwarded-for': expect.stringMatching(/^192\.0\.2\.1, 127\./),
      'x-forwarded-proto': 'http',
      'x-forwarded-port': '8080',
    });
    expect(asked.seen.headers).not.toHaveProperty('x-private');
    expect([asked.status, (await ask(w, { path: '/teapot' })).status]).toEqual([200, 418]);
  });

  test('keeps a client with its target while that is healthy, by a cookie of the name it was given', async () => {
    const w = await world([service({ stickySessions: true, cookieName: 'STAY', cookieLifetime: 77 })]);
    const [one] = await withTargets(w, 'a', 'b');
    const first = await ask(w);
    const cookies = first.headers['set-cookie'] ?? [];
    expect(cookies).toEqual(['own=1', expect.stringMatching(/^STAY=[0-9a-f]{32}; Max-Age=77; Path=\/$/)]);
    expect(first.seen.name).toBe('a');
    const headers = { cookie: `other=2; ${cookies[1]?.split(';')[0]}` };
    for (let n = 0; n < 3; n += 1) {
      const again = await ask(w, { headers });
      expect([again.seen.name, again.headers['set-cookie']]).toEqual(['a', ['own=1']]);
    }
    await one?.host.setCondition('off');
    await until(() => w.health.get('a')?.status === 'unhealthy', 8_000);
    expect((await ask(w, { headers })).seen.name).toBe('b');
  });

  test('answers itself where no target does: 503 without one, 502 for one that speaks no HTTP, 400 for what is no request', async () => {
    const w = await world([service()]);
    await w.describe({});
    expect(await ask(w)).toMatchObject({ status: 503 });
    const plain = await plainMachine(w.net, 'plain');
    await w.describe({ targets: targetsOf(plain) });
    await healthy(w, plain);
    expect(await ask(w)).toMatchObject({ status: 502 });
    const socket = connect({ host: w.address, port: 8080 });
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString()));
    socket.end('PING\r\n\r\n');
    await once(socket, 'close');
    expect(said).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('lets a connection become another protocol, and passes bytes on from there', async () => {
    const w = await world([service()]);
    const machine = await httpMachine(w.net, 'a', () => {});
    await w.describe({ targets: targetsOf(machine) });
    await healthy(w, machine);
    const server = http.createServer();
    server.on('upgrade', (request, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: ${request.headers.upgrade}\r\nConnection: Upgrade\r\n\r\n`,
      );
      socket.on('error', () => {});
      socket.pipe(socket);
    });
    server.listen(8081, machine.host.hidden);
    await once(server, 'listening');
    cleanups.push(() => server.close());
    await machine.host.open(8081);
    await w.describe({ services: [service({}, { destinationPort: 8081 })] });
    await healthy(w, machine);
    const request = http.request({
      host: w.address,
      port: 8080,
      agent: false,
      headers: { connection: 'Upgrade', upgrade: 'echo' },
    });
    request.end();
    const [response, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, import('node:net').Socket];
    expect([response.statusCode, response.headers.upgrade]).toEqual([101, 'echo']);
    socket.write('round');
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('round');
    socket.destroy();
  });

  test('frees a client of its target when it goes away in the middle, and carries large bodies both ways', async () => {
    const w = await world([service()]);
    let gone = 0;
    const machine = await httpMachine(w.net, 'a', (request, response) => {
      response.on('close', () => (gone += response.writableFinished ? 0 : 1));
      if (request.url === '/endless') response.write('...');
      else request.pipe(response);
    });
    await w.describe({ targets: targetsOf(machine) });
    await healthy(w, machine);
    expect((await ask(w, { method: 'POST', body: 'x'.repeat(3_000_000) })).text.length).toBe(3_000_000);
    const request = http.get({ host: w.address, port: 8080, path: '/endless', agent: false });
    request.on('error', () => {});
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.on('error', () => {});
    request.destroy();
    await until(() => gone === 1 && w.balancers.states()[0]?.services[0]?.targets[0]?.connections === 0);
    expect(gone).toBe(1);
    expect(w.balancers.states()[0]?.services[0]?.targets[0]?.connections).toBe(0);
  });
});

describe('an https service', () => {
  test('ends TLS with the certificate of the name it was asked for, and asks its target in plain HTTP', async () => {
    const [one, two] = [await serverPair('one.example.com'), await serverPair('*.two.example.com')];
    const certificates = [
      { ...one, names: ['one.example.com'] },
      { ...two, names: ['*.two.example.com'] },
    ];
    const w = await world([service({ certificates }, { protocol: 'https' })]);
    await withTargets(w, 'a');
    const shown = async (servername: string): Promise<string | undefined> => {
      const request = https.get({ host: w.address, port: 8080, servername, rejectUnauthorized: false, agent: false });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      const { subject } = (response.socket as import('node:tls').TLSSocket).getPeerCertificate();
      response.resume();
      return Array.isArray(subject.CN) ? subject.CN[0] : subject.CN;
    };
    expect(await shown('one.example.com')).toBe('one.example.com');
    expect(await shown('api.two.example.com')).toBe('*.two.example.com');
    expect(await shown('nobody.example.com')).toBe('one.example.com');
    const asked = await ask(w, { tls: true, rejectUnauthorized: false });
    expect(asked.seen.headers['x-forwarded-proto']).toBe('https');
    const third = await serverPair('three.example.com');
    await w.describe({
      services: [service({ certificates: [{ ...third, names: ['three.example.com'] }] }, { protocol: 'https' })],
    });
    expect(await shown('one.example.com')).toBe('three.example.com');
  });

  test('without a certificate breaks every handshake; as tcp again it passes bytes', async () => {
    const w = await world([service({}, { protocol: 'https' })]);
    const plain = await plainMachine(w.net, 'plain');
    await w.describe({ targets: targetsOf(plain) });
    await healthy(w, plain);
    await expect(ask(w, { tls: true, rejectUnauthorized: false })).rejects.toThrow();
    await w.describe({ services: [serviceOf(tcpCheck, { listenPort: 8080 })] });
    await healthy(w, plain);
    const socket = connect({ host: w.address, port: 8080 });
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('plain\n');
    socket.destroy();
  });

  test('is where a plain request is sent to by its redirect', async () => {
    let to = 443;
    const redirect = createRedirect('127.0.0.1', 18_080, () => to);
    await redirect.listen();
    cleanups.push(() => redirect.close());
    const location = async (): Promise<string | undefined> => {
      const headers = { host: 'api.example.com:80' };
      const request = http.get({ host: '127.0.0.1', port: 18_080, path: '/a?b=c', headers, agent: false });
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      response.resume();
      return `${response.statusCode} ${response.headers.location}`;
    };
    expect(await location()).toBe('301 https://api.example.com/a?b=c');
    to = 8443;
    expect(await location()).toBe('301 https://api.example.com:8443/a?b=c');
  });
});
