import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fc, test as property } from '@fast-check/vitest';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import type { CloudRRSet, CloudZone } from '../cloud/types.ts';
import { startLoopback } from '../fabric/loopback.ts';
import { createAudit, type Audit } from '../world/audit.ts';
import { readQuery, writeName } from './message.ts';
import { parseName, spell } from './names.ts';
import { startDnsServer } from './server.ts';
import type { DnsFault, DnsServer } from './types.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const PORT = 8053;
const set = (name: string, type: string, records: string[], ttl: number | null = null): CloudRRSet => ({
  name,
  type,
  ttl,
  records,
});
const zone: CloudZone = {
  id: 1,
  name: 'example.com',
  ttl: 3_600,
  rrsets: [
    set('@', 'SOA', ['hydrogen.ns.hetzner.com. dns.hetzner.com. 2026112401 86400 10800 3600000 300']),
    set('@', 'NS', ['hydrogen.ns.hetzner.com.', 'oxygen.ns.hetzner.com.', 'helium.ns.hetzner.de.']),
    set('api', 'A', ['127.64.1.2'], 60),
    set('api', 'AAAA', ['2001:db8::2:0:1']),
    set('www', 'CNAME', ['api']),
    set('loop', 'CNAME', ['pool']),
    set('pool', 'CNAME', ['loop']),
    set('away', 'CNAME', ['elsewhere.example.net.']),
    set('nothing', 'CNAME', ['missing.example.com.']),
    set('@', 'MX', ['10 mail', '20 mail2.example.net.']),
    set('_https._tcp', 'SRV', ['0 5 6443 api']),
    set('@', 'CAA', ['0 issue "letsencrypt.org"']),
    set('ptr', 'PTR', ['api.example.com.']),
    set('txt', 'TXT', ['"hello \\"you\\"" "two"', '"v=spf1 -all"']),
    set('*.wild', 'A', ['127.64.1.3']),
    set('here.wild', 'TXT', ['"x"']),
    set('sub', 'NS', ['ns.sub']),
    set('ns.sub', 'A', ['127.64.1.4']),
    set(
      'big',
      'TXT',
      Array.from({ length: 20 }, (_, n) => `"${String(n).padStart(200, 'x')}"`),
    ),
    set('svc', 'HTTPS', ['1 . alpn=h2']),
  ],
};

interface World {
  readonly dns: DnsServer;
  readonly resolver: Resolver;
  readonly audit: Audit;
  readonly log: string[];
  fault: DnsFault | undefined;
}

async function world(propagationMs = 0): Promise<World> {
  const net = await startLoopback({ random: systemRandom });
  cleanups.push(() => net.close());
  const audit = createAudit(undefined, () => new Date());
  const log: string[] = [];
  const w: { fault: DnsFault | undefined } = { fault: undefined };
  const dns = await startDnsServer({
    address: net.allocate('service'),
    port: PORT,
    clock: systemClock,
    speed: 30,
    audit,
    knobs: { propagationMs },
    fault: () => w.fault,
    log: (line) => log.push(line),
  });
  cleanups.push(() => dns.close());
  dns.apply(zone);
  const resolver = new Resolver({ timeout: 500, tries: 1 });
  resolver.setServers([`${dns.address}:${PORT}`]);
  return Object.assign(w, { dns, resolver, audit, log });
}

interface Raw {
  readonly message: Buffer;
  readonly rcode: number;
  readonly authoritative: boolean;
  readonly truncated: boolean;
  readonly counts: readonly number[];
}
const rawOf = (message: Buffer): Raw => ({
  message,
  rcode: message.readUInt16BE(2) & 0xf,
  authoritative: (message.readUInt16BE(2) & 0x0400) !== 0,
  truncated: (message.readUInt16BE(2) & 0x0200) !== 0,
  counts: [4, 6, 8, 10].map((at) => message.readUInt16BE(at)),
});
const numbers = { A: 1, NS: 2, CNAME: 5, SOA: 6, TXT: 16, DS: 43, HTTPS: 65, AXFR: 252, ANY: 255 };
function query(name: string, type: keyof typeof numbers, edns?: number): Buffer {
  const opt = edns === undefined ? [] : [Buffer.from([0, 0, 41, edns >> 8, edns & 0xff, 0, 0, 0x80, 0, 0, 0])];
  const header = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, opt.length]);
  return Buffer.concat([header, writeName(parseName(name)), Buffer.from([0, numbers[type], 0, 1]), ...opt]);
}
async function udp(w: World, message: Buffer): Promise<Raw | undefined> {
  const socket = createSocket('udp4');
  cleanups.push(() => socket.close());
  socket.send(message, PORT, w.dns.address);
  const heard = await Promise.race([once(socket, 'message'), sleep(500)]);
  return heard === undefined ? undefined : rawOf(heard[0]);
}

describe('the name server', () => {
  test('serves every type of record to an ordinary resolver, with TTLs of the record set or of the zone', async () => {
    const { resolver } = await world();
    expect(await resolver.resolve4('api.example.com', { ttl: true })).toEqual([{ address: '127.64.1.2', ttl: 60 }]);
    expect(await resolver.resolve6('API.Example.com', { ttl: true })).toEqual([
      { address: '2001:db8::2:0:1', ttl: 3600 },
    ]);
    expect(await resolver.resolveCname('www.example.com')).toEqual(['api.example.com']);
    expect(await resolver.resolve4('www.example.com')).toEqual(['127.64.1.2']);
    expect(await resolver.resolveNs('example.com')).toHaveLength(3);
    expect(await resolver.resolveMx('example.com')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ exchange: 'mail.example.com', priority: 10 }),
        expect.objectContaining({ exchange: 'mail2.example.net', priority: 20 }),
      ]),
    );
    expect(await resolver.resolveSrv('_https._tcp.example.com')).toEqual([
      expect.objectContaining({ name: 'api.example.com', port: 6443, priority: 0, weight: 5 }),
    ]);
    expect(await resolver.resolveCaa('example.com')).toEqual([
      expect.objectContaining({ critical: 0, issue: 'letsencrypt.org' }),
    ]);
    expect(await resolver.resolvePtr('ptr.example.com')).toEqual(['api.example.com']);
    expect(await resolver.resolveTxt('txt.example.com')).toEqual([['hello "you"', 'two'], ['v=spf1 -all']]);
    expect(await resolver.resolveSoa('example.com')).toMatchObject({
      nsname: 'hydrogen.ns.hetzner.com',
      hostmaster: 'dns.hetzner.com',
      serial: 2026112401,
      minttl: 300,
    });
  });

  test('tells "no such name" from "nothing of that type", both with the SOA and the time they may be kept', async () => {
    const w = await world();
    await expect(w.resolver.resolve4('missing.example.com')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(w.resolver.resolveTxt('api.example.com')).rejects.toMatchObject({ code: 'ENODATA' });
    for (const [name, rcode] of [
      ['missing.example.com', 3],
      ['api.example.com', 0],
      // Exists because names lie below it.
      ['_tcp.example.com', 0],
      ['svc.example.com', 3],
    ] as const) {
      const raw = await udp(w, query(name, 'TXT'));
      expect([name, raw?.rcode, raw?.authoritative, raw?.counts]).toEqual([name, rcode, true, [1, 0, 1, 0]]);
      // The SOA: its owner (uncompressed), then type, class and TTL.
      const owner = writeName(parseName('example.com'));
      const at = raw?.message.indexOf(Buffer.concat([owner, Buffer.from([0, 6, 0, 1])])) ?? -1;
      expect(raw?.message.readUInt32BE(at + owner.length + 4)).toBe(300);
    }
    expect(w.log).toEqual(['zone example.com: svc HTTPS is not served']);
  });

  test('follows CNAMEs inside its zones, ends a loop, and leaves the rest to the client', async () => {
    const w = await world();
    expect((await udp(w, query('away.example.com', 'A')))?.counts).toEqual([1, 1, 0, 0]);
    const dangling = await udp(w, query('nothing.example.com', 'A'));
    expect([dangling?.rcode, dangling?.counts]).toEqual([3, [1, 1, 1, 0]]);
    expect((await udp(w, query('loop.example.com', 'A')))?.counts[1]).toBe(8);
    expect((await udp(w, query('www.example.com', 'CNAME')))?.counts).toEqual([1, 1, 0, 0]);
  });

  test('wildcards cover names that do not exist; below a delegation it only refers', async () => {
    const w = await world();
    expect(await w.resolver.resolve4('any.thing.wild.example.com')).toEqual(['127.64.1.3']);
    await expect(w.resolver.resolve4('here.wild.example.com')).rejects.toMatchObject({ code: 'ENODATA' });
    const referral = await udp(w, query('host.sub.example.com', 'A'));
    expect([referral?.rcode, referral?.authoritative, referral?.counts]).toEqual([0, false, [1, 0, 1, 1]]);
    expect((await udp(w, query('sub.example.com', 'DS')))?.authoritative).toBe(true);
  });

  test('refuses names of others, zone transfers and what is no question; answers garbage with an error or not at all', async () => {
    const w = await world();
    await expect(w.resolver.resolve4('example.net')).rejects.toMatchObject({ code: 'EREFUSED' });
    expect((await udp(w, query('notexample.com', 'A')))?.rcode).toBe(5);
    expect((await udp(w, query('example.com', 'AXFR')))?.rcode).toBe(5);
    const update = query('example.com', 'SOA');
    update.writeUInt16BE(5 << 11, 2);
    expect((await udp(w, update))?.rcode).toBe(4);
    expect((await udp(w, query('example.com', 'A').subarray(0, 20)))?.rcode).toBe(1);
    const answer = query('example.com', 'A');
    answer.writeUInt16BE(0x8000, 2);
    expect(await udp(w, answer)).toBeUndefined();
    expect(await udp(w, Buffer.from('hi'))).toBeUndefined();
    expect(await w.resolver.resolve4('api.example.com')).toEqual(['127.64.1.2']);
  });

  test('cuts what is too long for UDP, and gives it whole over TCP or to a client that takes more', async () => {
    const w = await world();
    expect(await udp(w, query('big.example.com', 'TXT'))).toMatchObject({ truncated: true, counts: [1, 0, 0, 0] });
    expect(await w.resolver.resolveTxt('big.example.com')).toHaveLength(20);
    const plain = await udp(w, query('example.com', 'ANY'));
    const edns = await udp(w, query('example.com', 'ANY', 1_232));
    expect([plain?.truncated, edns?.truncated]).toEqual([false, false]);
    // The answer to EDNS has an OPT record of its own, version 0, at the end.
    expect([edns?.counts[3], edns?.message.subarray(-11).toString('hex')]).toEqual([1, '00002904d000000000' + '0000']);
    const socket = connect({ host: w.dns.address, port: PORT });
    cleanups.push(() => socket.destroy());
    const framed = [query('api.example.com', 'A'), query('missing.example.com', 'A')].map((message) =>
      Buffer.concat([Buffer.from([0, message.length]), message]),
    );
    const both = Buffer.concat(framed);
    socket.write(both.subarray(0, 5));
    await sleep(20);
    socket.write(both.subarray(5));
    let heard = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])));
    await sleep(100);
    const length = heard.readUInt16BE(0);
    const [one, two] = [rawOf(heard.subarray(2, 2 + length)), rawOf(heard.subarray(4 + length))];
    expect([one.rcode, one.counts[1], two.rcode]).toEqual([0, 1, 3]);
  });

  test('a change is known after the propagation time (guess), a deleted zone is refused', async () => {
    const w = await world(6_000);
    await expect(w.resolver.resolve4('api.example.com')).rejects.toMatchObject({ code: 'EREFUSED' });
    await sleep(250);
    expect(await w.resolver.resolve4('api.example.com')).toEqual(['127.64.1.2']);
    w.dns.apply({ ...zone, rrsets: [set('api', 'A', ['127.64.1.9'], 60)] });
    expect(await w.resolver.resolve4('api.example.com')).toEqual(['127.64.1.2']);
    await sleep(250);
    expect(await w.resolver.resolve4('api.example.com')).toEqual(['127.64.1.9']);
    expect((await w.resolver.resolveSoa('example.com')).hostmaster).toBe('dns.hetzner.com');
    w.dns.remove(1);
    await sleep(250);
    await expect(w.resolver.resolve4('api.example.com')).rejects.toMatchObject({ code: 'EREFUSED' });
  });

  test('faults: silent, no such name, broken, wrong, stale; and every question is in the audit', async () => {
    const w = await world();
    const at = performance.now();
    w.dns.apply({ ...zone, rrsets: [set('api', 'A', ['127.64.1.9'])] });
    await sleep(20);
    const seen: unknown[] = [];
    for (const fault of [
      { kind: 'silent' },
      { kind: 'no-such-name' },
      { kind: 'server-failure' },
      { kind: 'wrong', address: '127.64.9.9' },
      { kind: 'stale', at },
      undefined,
    ] as const) {
      w.fault = fault;
      seen.push(await w.resolver.resolve4('api.example.com').catch((error: { code: string }) => error.code));
    }
    expect(seen).toEqual(['ETIMEOUT', 'ENOTFOUND', 'ESERVFAIL', ['127.64.9.9'], ['127.64.1.2'], ['127.64.1.9']]);
    expect(w.audit.since().at(-1)).toMatchObject({
      system: 'dns',
      method: 'A',
      path: 'api.example.com',
      status: 0,
      write: false,
    });
  });
});

describe('the wire', () => {
  const label = fc.uint8Array({ minLength: 1, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
  property.prop([fc.array(label, { maxLength: 6 })])('a name survives being written, read and spelled', (labels) => {
    const message = Buffer.concat([
      Buffer.from([0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
      writeName(labels),
      Buffer.from([0, 1, 0, 1]),
    ]);
    expect(readQuery(message)).toMatchObject({ kind: 'query', query: { question: { name: labels, type: 1 } } });
    expect(parseName(spell(labels))).toEqual(labels);
  });

  property.prop([fc.uint8Array({ maxLength: 80 })])('no message makes the reader throw or hang', (bytes) => {
    const message = Buffer.from(bytes);
    if (message.length > 4) {
      message.writeUInt16BE(0x0100, 2);
      if (message.length > 6) message.writeUInt16BE(1, 4);
    }
    expect(['query', 'bad', 'ignored']).toContain(readQuery(message).kind);
  });
});
