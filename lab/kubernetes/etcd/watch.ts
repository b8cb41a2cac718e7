import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError, type CallOptions } from '@connectrpc/connect';
import type { Event } from './generated/etcd/kv_pb.ts';
import {
  WatchRequestSchema,
  type WatchCreateRequestSchema,
  type WatchRequest,
  type WatchResponse,
} from './generated/etcd/rpc_pb.ts';

/** etcd 3.4 may leave the reason empty when it cancels a watch whose start was compacted. */
const COMPACTED = 'etcdserver: mvcc: required revision has been compacted';

/** One watcher on a stream of its own. See EtcdClient.watch for how it ends. */
export async function* openWatch<E>(
  open: (requests: AsyncIterable<WatchRequest>, options: CallOptions) => AsyncIterable<WatchResponse>,
  watcher: MessageInitShape<typeof WatchCreateRequestSchema>,
  read: (event: Event) => E | undefined,
  signal: AbortSignal,
): AsyncGenerator<{ events: E[]; revision: bigint }> {
  const over = new AbortController();
  async function* requests(): AsyncGenerator<WatchRequest> {
    yield create(WatchRequestSchema, { requestUnion: { case: 'createRequest', value: watcher } });
    // A stream whose requests have ended is closed by etcd: it must stay open for as long as anybody listens.
    await new Promise<void>((resolve) => over.signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  try {
    // Asking for a leader makes etcd end the stream when its member has been without one for about three seconds.
    const call = { signal: AbortSignal.any([signal, over.signal]), headers: { hasleader: 'true' } };
    for await (const answer of open(requests(), call)) {
      if (answer.canceled) {
        if (answer.compactRevision > 0n) throw new ConnectError(answer.cancelReason || COMPACTED, Code.OutOfRange);
        throw new ConnectError(answer.cancelReason || 'etcd cancelled the watch', Code.Unavailable);
      }
      const events = answer.events.flatMap((event) => read(event) ?? []);
      if (events.length > 0) yield { events, revision: answer.header?.revision ?? 0n };
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    over.abort();
  }
  signal.throwIfAborted();
  throw new ConnectError('the member ended the watch', Code.Unavailable);
}
