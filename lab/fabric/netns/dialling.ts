import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PORT } from '../scenarios.ts';
import type { NetnsFabric } from './netns.ts';

const execute = promisify(execFile);

export const DIAL = `
const socket = require('node:net').connect({ host: process.argv[1], port: ${PORT}, timeout: 1000 });
socket.setEncoding('utf8');
for (const end of ['data', 'error', 'timeout']) socket.on(end, (what) => {
  console.log(what?.code ?? what?.trim?.() ?? 'silence');
  process.exit();
});`;

const within = async (net: NetnsFabric, place: string, command: readonly string[]): Promise<string> => {
  const file = net.fileOf(place);
  assert.ok(file, `there is no place ${place}`);
  return (await execute('nsenter', [`--net=${file}`, ...command], { timeout: 10_000 })).stdout.trim();
};

/** Dials from inside one place of the lab; gives the greeting, an error's code, or `silence` after a second. */
export const dialFrom = (net: NetnsFabric, place: string, address: string): Promise<string> =>
  within(net, place, [process.execPath, '--eval', DIAL, address]);

/** Debian's Python: Node has no sockets for ICMP. Echo request of either family, its checksum by hand for IPv4. */
const PING = `
import os, socket, struct, sys, time
to = sys.argv[1]
six = ':' in to
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_RAW, 58 if six else 1)
s.settimeout(float(sys.argv[2]))
body = struct.pack('!HH', os.getpid() & 0xffff, 1) + b'fairlead'
kind = bytes([128 if six else 8, 0])
words = struct.unpack('!8H', kind + b'\\0\\0' + body)
total = sum(words); total = (total >> 16) + (total & 0xffff); total += total >> 16
began = time.monotonic()
s.sendto(kind + struct.pack('!H', ~total & 0xffff) + body, (to, 0))
try:
    while True:
        got = s.recv(2048)
        got = got if six else got[(got[0] & 15) * 4:]
        if got[0] == (129 if six else 0) and got[4:8] == body[:4]: break
    print(round((time.monotonic() - began) * 1000))
except TimeoutError:
    print('silence')
`;

/** Milliseconds of one echo, or `silence` after so long. */
export async function pingFrom(
  net: NetnsFabric,
  place: string,
  address: string,
  seconds = 1,
): Promise<number | 'silence'> {
  const said = await within(net, place, ['python3', '-c', PING, address, String(seconds)]);
  return said === 'silence' ? said : Number(said);
}
