import { Transform, type TransformCallback } from 'node:stream';
import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import { type LaneRule, resentAfter, RESEND } from './disturbance.ts';

/** Bytes on their way beyond which the sender is held back, as by TCP's window. */
const WINDOW = 262_144;

export interface LanePorts {
  readonly clock: Clock;
  readonly random: Random;
  /** Each piece goes on only when this, asked when its turn has come, resolves. */
  readonly pass?: () => Promise<void>;
}

/**
 * One direction of a connection with a will of its own: holds bytes back for a while, or until the way is free again (TCP
 * sends again what was lost, so nothing is missing after a partition that healed in time). Order is kept.
 */
export class Lane extends Transform {
  readonly #ports: LanePorts;
  readonly #ended = new AbortController();
  readonly #queue: { readonly chunk: Buffer; readonly due: number }[] = [];
  readonly #idle: (() => void)[] = [];
  #rule: LaneRule;
  #bytes = 0;
  #pumping = false;
  #freed: (() => void) | undefined;
  #more: TransformCallback | undefined;

  constructor(ports: LanePorts, rule: LaneRule) {
    super();
    this.#ports = ports;
    this.#rule = rule;
    // Destroyed with its connection; nobody else has to know.
    this.on('error', () => {});
  }

  /** From now on; what is on its way keeps its time. */
  set rule(rule: LaneRule) {
    this.#rule = rule;
    if (!rule.blocked) this.#freed?.();
  }

  /** Resolves when nothing is on its way any more. */
  idle(): Promise<void> {
    if ((!this.#pumping && !this.#rule.blocked) || this.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#start();
    });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const { ms, loss } = this.#rule;
    const { clock, random } = this.#ports;
    const late = ms + resentAfter(loss, RESEND.dataMs, () => random.next());
    // What was lost holds up what comes behind it.
    const due = Math.max(clock.now() + late, this.#queue.at(-1)?.due ?? 0);
    this.#queue.push({ chunk, due });
    this.#bytes += chunk.length;
    if (this.#bytes < WINDOW) done();
    else this.#more = done;
    this.#start();
  }

  override _flush(done: TransformCallback): void {
    void this.idle().then(() => done());
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#ended.abort();
    this.#freed?.();
    this.#queue.length = 0;
    for (const tell of this.#idle.splice(0)) tell();
    done(error);
  }

  #start(): void {
    if (this.#pumping || this.destroyed) return;
    this.#pumping = true;
    void this.#pump().catch(() => {});
  }

  async #pump(): Promise<void> {
    const { clock } = this.#ports;
    for (;;) {
      while (this.#rule.blocked && !this.#ended.signal.aborted)
        await new Promise<void>((resolve) => {
          this.#freed = resolve;
        });
      if (this.#ended.signal.aborted) return;
      const next = this.#queue[0];
      if (next === undefined) break;
      const wait = next.due - clock.now();
      if (wait > 0) {
        await clock.sleep(wait, this.#ended.signal);
        continue;
      }
      await this.#ports.pass?.();
      if (this.#ended.signal.aborted) return;
      this.#queue.shift();
      this.#bytes -= next.chunk.length;
      this.push(next.chunk);
      if (this.#bytes < WINDOW) {
        const more = this.#more;
        this.#more = undefined;
        more?.();
      }
    }
    this.#pumping = false;
    for (const tell of this.#idle.splice(0)) tell();
  }
}
