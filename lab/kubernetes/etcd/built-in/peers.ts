import { readFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import type { Clock } from '../../../../src/base/clock.ts';
import type { TlsFiles } from '../../types.ts';

/** How members of the built-in etcd begin to speak on a peer's port; whoever begins otherwise is not answered. */
export const PREFACE = Buffer.from('fairlead-lab-etcd-peer\n');
const HEARTBEAT_MS = 250;
/** So many heartbeats without an answer, and a link counts as cut: one election time-out of etcd. */
const MISSES = 4;
export const DETECTED_AFTER_MS = HEARTBEAT_MS * MISSES;

/** Sends back what the other side sends, once it has shown that it is a peer. */
export function answerPeer(socket: TLSSocket): void {
  let begun = Buffer.alloc(0);
  const read = (chunk: Buffer): void => {
    begun = Buffer.concat([begun, chunk]);
    if (begun.length < PREFACE.length) return;
    socket.off('data', read);
    if (!begun.subarray(0, PREFACE.length).equals(PREFACE)) return;
    socket.write(begun.subarray(PREFACE.length));
    socket.pipe(socket);
  };
  socket.on('data', read);
  socket.on('error', () => {});
}

export interface PeerPorts {
  readonly clock: Clock;
  /** Address the member's packets are sent from. */
  readonly localAddress: string;
  readonly tls: TlsFiles;
  /** A link was cut or is whole again. */
  readonly changed: () => void;
}

/**
 * One member's way to another, over the network they are in: what is asked of the other is sent as a number and counts
 * as heard when the number comes back. So a partition, a silent machine or a refused certificate cuts it, and latency slows it.
 */
export class PeerLink {
  readonly #ports: PeerPorts;
  readonly #host: string;
  readonly #port: number;
  readonly #over = new AbortController();
  readonly #waiting = new Map<number, () => void>();
  #socket: TLSSocket | undefined;
  #sent = 0;
  #heard = 0;
  #whole = true;

  constructor(ports: PeerPorts, url: string) {
    const { hostname, port } = new URL(url);
    this.#ports = ports;
    this.#host = hostname.replaceAll(/[[\]]/g, '');
    this.#port = Number(port);
    this.#beat().catch(() => {});
  }

  /** False when the other has not been heard for an election time-out; true before anything is known. */
  get whole(): boolean {
    return this.#whole;
  }

  /** Resolves when the other has answered a question sent now; never rejects. */
  heard(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.set(this.#send(), resolve);
    });
  }

  close(): void {
    this.#over.abort();
    this.#socket?.destroy();
    this.#waiting.clear();
  }

  #send(): number {
    this.#sent += 1;
    const number = Buffer.alloc(4);
    number.writeUInt32BE(this.#sent >>> 0);
    this.#socket?.write(number);
    return this.#sent;
  }

  async #beat(): Promise<void> {
    const { clock } = this.#ports;
    for (let missed = 0; ;) {
      if (this.#socket === undefined) await this.#dial();
      const asked = this.#send();
      await clock.sleep(HEARTBEAT_MS, this.#over.signal);
      // Beats are counted and not time: a program that was held up has heard nobody, and nobody is to blame.
      missed = this.#heard >= asked ? 0 : missed + 1;
      if (missed === MISSES) this.#set(false);
      // A connection that was swallowed does not come back to life by itself.
      if (missed > 0 && missed % MISSES === 0) this.#drop();
    }
  }

  async #dial(): Promise<void> {
    const { tls, localAddress } = this.#ports;
    const files = await Promise.all([tls.ca, tls.cert, tls.key].map((file) => readFile(file))).catch(() => undefined);
    if (files === undefined || this.#over.signal.aborted) return;
    const [ca, cert, key] = files;
    const packets = connectTcp({ host: this.#host, port: this.#port, localAddress, noDelay: true });
    packets.on('error', () => {});
    const socket = connect({ socket: packets, host: this.#host, ca, cert, key });
    this.#socket = socket;
    socket.write(PREFACE);
    let half = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      const bytes = Buffer.concat([half, chunk]);
      const whole = bytes.length - (bytes.length % 4);
      half = bytes.subarray(whole);
      if (whole > 0) this.#hear(bytes.readUInt32BE(whole - 4));
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.#socket === socket) this.#socket = undefined;
    });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
  }

  #hear(number: number): void {
    this.#heard = Math.max(this.#heard, number);
    for (const [asked, resolve] of this.#waiting) {
      if (asked > number) break;
      this.#waiting.delete(asked);
      resolve();
    }
    this.#set(true);
  }

  #set(whole: boolean): void {
    if (this.#whole === whole) return;
    this.#whole = whole;
    this.#ports.changed();
  }
}

/** All links of one member. */
export class Peers {
  readonly #ports: PeerPorts;
  readonly #links = new Map<bigint, { readonly url: string; readonly run: object; readonly link: PeerLink }>();

  constructor(ports: PeerPorts) {
    this.#ports = ports;
  }

  /** Links to exactly these, each anew when it has another address or was started again. */
  follow(others: readonly { readonly id: bigint; readonly url: string; readonly run: object }[]): void {
    for (const [id, { url, run, link }] of this.#links) {
      if (others.some((other) => other.id === id && other.url === url && other.run === run)) continue;
      link.close();
      this.#links.delete(id);
    }
    for (const { id, url, run } of others) {
      if (!this.#links.has(id)) this.#links.set(id, { url, run, link: new PeerLink(this.#ports, url) });
    }
  }

  to(id: bigint): PeerLink | undefined {
    return this.#links.get(id)?.link;
  }

  close(): void {
    this.follow([]);
  }
}
