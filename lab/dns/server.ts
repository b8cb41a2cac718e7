import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { answerQuestion } from './answer.ts';
import {
  type Answer,
  type Query,
  RCODE,
  type Rcode,
  readQuery,
  TYPE,
  udpLimit,
  writeAnswer,
  writeRefusal,
} from './message.ts';
import { spell } from './names.ts';
import { recordData } from './record-data.ts';
import { DEFAULT_DNS_KNOBS, type DnsFault, type DnsOptions, type DnsServer } from './types.ts';
import { readZone, type Zone } from './zone.ts';

/** What the name server does otherwise than Hetzner's, for `lab info`. */
export const DNS_LIMITS: readonly string[] = [
  "The lab's name server stands on a port of its own (`dns` in `lab info`), knows the zones of the project and refuses all others; it does not look anything up elsewhere.",
  'HTTPS and SVCB records are kept by the API but not served; there is no DNSSEC and no zone transfer.',
];

const IDLE_MS = 10_000;
const TCP_LIMIT = 65_535;

/** How many earlier states of the zones are remembered, for stale answers. */
const HISTORY = 200;

interface Version {
  /** Time of the clock from which on it was served. */
  readonly since: number;
  readonly zones: ReadonlyMap<number, Zone>;
}

/** Answers for the zones over UDP and TCP. Rejects when the port is taken. */
export async function startDnsServer(options: DnsOptions): Promise<DnsServer> {
  const { clock, audit } = options;
  const knobs = { ...DEFAULT_DNS_KNOBS, ...options.knobs };
  let history: readonly Version[] = [{ since: clock.now(), zones: new Map() }];
  const ended = new AbortController();

  /** The zones as served at a time of the clock: the last state that began before it, or the oldest that is remembered. */
  const zonesAt = (time: number): Zone[] => {
    const version = history.findLast((known) => known.since <= time) ?? history[0];
    return [...(version?.zones.values() ?? [])];
  };
  const change = (alter: (zones: Map<number, Zone>) => void): void => {
    const zones = new Map(history.at(-1)?.zones);
    alter(zones);
    history = [...history, { since: clock.now(), zones }].slice(-HISTORY);
  };

  /** The answer in wire form; undefined = none is given. */
  const respond = (message: Buffer, limit: (query: Query) => number): Buffer | undefined => {
    const began = clock.now();
    const incoming = readQuery(message);
    if (incoming.kind === 'ignored') return undefined;
    if (incoming.kind === 'bad') return writeRefusal(incoming.id, incoming.opcode, incoming.rcode);
    const { query } = incoming;
    const name = spell(query.question.name).slice(0, -1);
    const type = typeName(query.question.type);
    const fault = options.fault?.({ name: name.toLowerCase(), type });
    if (fault?.kind === 'silent') return undefined;
    const answer = answerUnder(fault, query);
    audit.record({
      system: 'dns',
      method: type,
      path: name,
      write: false,
      status: answer.rcode,
      ms: clock.now() - began,
      by: 'unknown',
    });
    return writeAnswer(query, answer, limit(query));
  };

  const answerUnder = (fault: DnsFault | undefined, { question }: Query): Answer => {
    if (fault?.kind === 'server-failure') return nothing(RCODE.failed);
    if (fault?.kind === 'no-such-name') return { ...nothing(RCODE.noSuchName), authoritative: true };
    if (fault?.kind === 'stale') return answerQuestion(zonesAt(fault.at), question);
    if (fault?.kind === 'wrong' && question.type === TYPE.A) {
      const data = recordData('A', fault.address, []);
      const answers = [{ name: question.name, type: TYPE.A, ttl: 60, data }];
      return { ...nothing(RCODE.ok), authoritative: true, answers };
    }
    return answerQuestion(zonesAt(clock.now()), question);
  };

  const { address, port } = options;
  const udp = await listenUdp(address, port, (message, from) => {
    const answer = respond(message, udpLimit);
    if (answer !== undefined) udp.send(answer, from.port, from.address);
  });
  const sockets = new Set<Socket>();
  let tcp: Server;
  try {
    tcp = await listenTcp(address, port, sockets, (message) => respond(message, () => TCP_LIMIT));
  } catch (error) {
    udp.close();
    throw error;
  }

  const later = (work: () => void): void => {
    const known = async (): Promise<void> => {
      if (knobs.propagationMs > 0) await clock.sleep(knobs.propagationMs / options.speed, ended.signal);
      work();
    };
    known().catch((error: unknown) => {
      if (!ended.signal.aborted) throw error;
    });
  };

  return {
    address,
    port,
    apply(zone) {
      const read = readZone(zone, options.log);
      later(() => change((zones) => zones.set(zone.id, read)));
    },
    remove: (id) => later(() => change((zones) => zones.delete(id))),
    async close() {
      ended.abort();
      for (const socket of sockets) socket.destroy();
      await Promise.all([
        new Promise<void>((resolve) => udp.close(resolve)),
        new Promise<void>((resolve) => tcp.close(() => resolve())),
      ]);
    },
  };
}

const nothing = (rcode: Rcode): Answer => ({
  rcode,
  authoritative: false,
  answers: [],
  authority: [],
  additional: [],
});

const typeName = (type: number): string =>
  Object.entries(TYPE).find(([, number]) => number === type)?.[0] ?? `TYPE${type}`;

async function listenUdp(
  address: string,
  port: number,
  heard: (message: Buffer, from: RemoteInfo) => void,
): Promise<UdpSocket> {
  const socket = createSocket('udp4', heard);
  socket.bind({ address, port, exclusive: true });
  await once(socket, 'listening');
  // A client that has gone already; nothing is owed to it.
  socket.on('error', () => {});
  return socket;
}

/** Over TCP every message is preceded by its length; a client may send several. */
async function listenTcp(
  address: string,
  port: number,
  sockets: Set<Socket>,
  respond: (message: Buffer) => Buffer | undefined,
): Promise<Server> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    let pending = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
        const length = pending.readUInt16BE(0);
        const answer = respond(pending.subarray(2, 2 + length));
        pending = pending.subarray(2 + length);
        if (answer === undefined) continue;
        const prefix = Buffer.alloc(2);
        prefix.writeUInt16BE(answer.length, 0);
        socket.write(Buffer.concat([prefix, answer]));
      }
    });
  });
  server.listen({ host: address, port });
  await once(server, 'listening');
  return server;
}
