import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createResolver } from './dns.ts';

const open: (() => void)[] = [];
afterEach(() => {
  for (const close of open.splice(0)) close();
});

/** A DNS server that answers every question for A with one address, every other with nothing, or all with "no such name". */
async function dns(answer: string | undefined): Promise<string> {
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const end = query.indexOf(0, 12) + 5;
    const isA = query.readUInt16BE(end - 4) === 1;
    const give = answer !== undefined && isA;
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(answer === undefined ? 0x81_83 : 0x81_80, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(give ? 1 : 0, 6);
    header.writeUInt32BE(0, 8);
    const record = give
      ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...answer.split('.').map(Number)])
      : Buffer.alloc(0);
    socket.send(Buffer.concat([header, query.subarray(12, end), record]), from.port, from.address);
  });
  await new Promise<void>((done) => socket.bind(0, '127.0.0.1', done));
  open.push(() => socket.close());
  const { port }: AddressInfo = socket.address();
  return `127.0.0.1:${port}`;
}

test('a name is asked for at the given server, and its addresses come back', async () => {
  const resolve = createResolver([await dns('198.51.100.20')]);
  expect(await resolve('api.example.com')).toEqual(['198.51.100.20']);
});

test('a name that does not exist is an error that says so', async () => {
  const resolve = createResolver([await dns(undefined)]);
  await expect(resolve('api.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
});

test('without a server of its own the machine is asked; an address leads to itself', async () => {
  expect(await createResolver([])('localhost')).toContain('127.0.0.1');
  expect(await createResolver([])('192.0.2.7')).toEqual(['192.0.2.7']);
});
