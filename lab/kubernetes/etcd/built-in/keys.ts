import { create } from '@bufbuild/protobuf';
import { KeyValueSchema, type KeyValue } from '../generated/etcd/kv_pb.ts';
import { FROM_KEY, type Key, type KeyRange, type Version } from './store.ts';

export const keyOf = (bytes: Uint8Array): Key =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export const bytesOf = (key: Key): Uint8Array => Buffer.from(key, 'latin1');

/** A range as requests carry it. In watches an empty key means "from the first one on". */
export const rangeOf = (request: { readonly key: Uint8Array; readonly rangeEnd: Uint8Array }): KeyRange => ({
  start: request.key.length === 0 ? FROM_KEY : keyOf(request.key),
  end: request.rangeEnd.length === 0 ? undefined : keyOf(request.rangeEnd),
});

export const messageOf = (version: Version, keysOnly = false): KeyValue =>
  create(KeyValueSchema, {
    key: bytesOf(version.key),
    createRevision: version.create,
    modRevision: version.mod,
    version: version.version,
    lease: version.lease,
    ...(keysOnly ? {} : { value: version.value }),
  });
