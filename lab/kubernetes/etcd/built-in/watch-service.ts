import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import { EventSchema, Event_EventType, type Event } from '../generated/etcd/kv_pb.ts';
import {
  WatchCreateRequest_FilterType as Filter,
  type Watch,
  type WatchCreateRequest,
  WatchResponseSchema,
  type WatchRequest,
  type WatchResponse,
} from '../generated/etcd/rpc_pb.ts';
import { refusalText, refuse } from './errors.ts';
import { bytesOf, messageOf, rangeOf } from './keys.ts';
import { Queue } from './queue.ts';
import { admit, headerOf, wantsLeader, type Served } from './served.ts';
import { inRange, type Change, type KeyRange, type StoreEvent } from './store.ts';

/** How often a quiet watcher that asked for it hears how far the store is. */
const PROGRESS_MS = 600_000;
/** A watcher that begins in the past gets what it missed in answers of about this many events; a revision is never split. */
const CATCH_UP_EVENTS = 1000;

type Answer = Omit<MessageInitShape<typeof WatchResponseSchema>, '$typeName' | '$unknown' | 'header'>;

interface Watcher {
  readonly range: KeyRange;
  readonly from: bigint;
  readonly prevKv: boolean;
  readonly progress: boolean;
  readonly filters: readonly Filter[];
  quietSince: number;
}

function eventOf(event: StoreEvent, prevKv: boolean): Event {
  const deleted = event.kv.version === 0n;
  return create(EventSchema, {
    type: deleted ? Event_EventType.DELETE : Event_EventType.PUT,
    kv: deleted ? { key: bytesOf(event.kv.key), modRevision: event.kv.mod } : messageOf(event.kv),
    ...(prevKv && event.previous !== undefined ? { prevKv: messageOf(event.previous) } : {}),
  });
}

const wants = (watcher: Watcher, event: StoreEvent): boolean =>
  inRange(event.kv.key, watcher.range) &&
  !watcher.filters.includes(event.kv.version === 0n ? Filter.NODELETE : Filter.NOPUT);

/** The watchers of one stream. */
class Stream {
  readonly answers = new Queue<WatchResponse>();
  readonly #served: Served;
  readonly #watchers = new Map<bigint, Watcher>();
  #nextId = 0n;

  constructor(served: Served) {
    this.#served = served;
  }

  take(request: WatchRequest): void {
    const { requestUnion: union } = request;
    if (union.case === 'createRequest') this.#create(union.value);
    if (union.case === 'cancelRequest') {
      const { watchId } = union.value;
      if (this.#watchers.delete(watchId)) this.#say({ watchId, canceled: true });
    }
    // To every watcher of the stream at once: -1 stands for all.
    if (union.case === 'progressRequest') this.#say({ watchId: -1n });
  }

  deliver(change: Change): void {
    // A member that is cut off hears of it later.
    if (this.#served.cluster.isBehind(this.#served.member)) return;
    for (const [watchId, watcher] of this.#watchers) {
      if (change.revision < watcher.from) continue;
      const events = change.events.filter((event) => wants(watcher, event));
      if (events.length === 0) continue;
      watcher.quietSince = this.#served.clock.now();
      this.#say({ watchId, events: events.map((event) => eventOf(event, watcher.prevKv)) }, change.revision);
    }
  }

  /** The member was cut off and knows the store again: what came after this revision. */
  caughtUp(revision: bigint): void {
    for (const [watchId, watcher] of this.#watchers) this.#catchUp(watchId, watcher, revision + 1n);
  }

  progress(): void {
    const now = this.#served.clock.now();
    for (const [watchId, watcher] of this.#watchers) {
      if (!watcher.progress || now - watcher.quietSince < PROGRESS_MS) continue;
      watcher.quietSince = now;
      this.#say({ watchId });
    }
  }

  #say(answer: Answer, revision?: bigint): void {
    const header = headerOf(this.#served);
    if (revision !== undefined) header.revision = revision;
    this.answers.push(create(WatchResponseSchema, { ...answer, header }));
  }

  #create(request: WatchCreateRequest): void {
    const { store } = this.#served.cluster;
    if (request.watchId !== 0n && this.#watchers.has(request.watchId)) {
      this.#say({
        watchId: -1n,
        created: true,
        canceled: true,
        cancelReason: 'mvcc: duplicate watch ID provided on the WatchStream',
      });
      return;
    }
    while (request.watchId === 0n && this.#watchers.has(this.#nextId)) this.#nextId += 1n;
    const watchId = request.watchId === 0n ? this.#nextId : request.watchId;
    if (request.watchId === 0n) this.#nextId += 1n;
    const from =
      request.startRevision > 0n ? request.startRevision : this.#served.cluster.revisionFor(this.#served.member) + 1n;
    this.#say({ watchId, created: true });
    if (from < store.compacted) {
      const cancelReason = refusalText('compacted');
      this.#say({ watchId, canceled: true, compactRevision: store.compacted, cancelReason });
      return;
    }
    const watcher: Watcher = {
      range: rangeOf(request),
      from,
      prevKv: request.prevKv,
      progress: request.progressNotify,
      filters: request.filters,
      quietSince: this.#served.clock.now(),
    };
    this.#watchers.set(watchId, watcher);
    this.#catchUp(watchId, watcher);
  }

  #catchUp(watchId: bigint, watcher: Watcher, from = watcher.from): void {
    let events: StoreEvent[] = [];
    const flush = (): void => {
      if (events.length > 0) this.#say({ watchId, events: events.map((event) => eventOf(event, watcher.prevKv)) });
      events = [];
    };
    for (const change of this.#served.cluster.store.since(from > watcher.from ? from : watcher.from)) {
      if (change.revision > this.#served.cluster.revisionFor(this.#served.member)) break;
      events.push(...change.events.filter((event) => wants(watcher, event)));
      if (events.length >= CATCH_UP_EVENTS) flush();
    }
    flush();
  }
}

async function readRequests(requests: AsyncIterable<WatchRequest>, stream: Stream): Promise<void> {
  try {
    for await (const request of requests) stream.take(request);
    stream.answers.close();
  } catch (error) {
    stream.answers.fail(error);
  }
}

async function* watch(
  served: Served,
  requests: AsyncIterable<WatchRequest>,
  context: HandlerContext,
): AsyncGenerator<WatchResponse> {
  admit(served, context);
  const stream = new Stream(served);
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, context.signal]);
  context.signal.addEventListener('abort', () => stream.answers.fail(context.signal.reason), { signal: over.signal });
  const unsubscribe = served.cluster.store.subscribe((change) => stream.deliver(change));
  const unnotice = served.cluster.onCaughtUp((member, revision) => {
    if (member === served.member) stream.caughtUp(revision);
  });
  void readRequests(requests, stream);
  if (wantsLeader(context)) {
    served.cluster.leaderless(served.member, signal).then(
      () => stream.answers.fail(refuse('noLeader')),
      () => {},
    );
  }
  const tick = async (): Promise<void> => {
    for (;;) {
      await served.clock.sleep(PROGRESS_MS / 10, signal);
      stream.progress();
    }
  };
  tick().catch(() => {});
  try {
    yield* stream.answers;
  } finally {
    unsubscribe();
    unnotice();
    over.abort();
  }
}

export const watchService = (served: Served): ServiceImpl<typeof Watch> => ({
  watch: (requests, context) => watch(served, requests, context),
});
