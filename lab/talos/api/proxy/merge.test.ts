import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { DataSchema } from '../generated/common/common_pb.ts';
import { VersionResponseSchema } from '../generated/machine/machine_pb.ts';
import { frame, messagesOf } from './frames.ts';
import { labelMessage, labelMessages, metadataField } from './merge.ts';

describe('answers of several nodes', () => {
  const answer = (tag: string): Uint8Array =>
    toBinary(VersionResponseSchema, create(VersionResponseSchema, { messages: [{ version: { tag } }] }));

  test.prop([fc.array(fc.tuple(fc.string(), fc.string()), { minLength: 1, maxLength: 5 })])(
    'add up to one list, each entry with what it said and the name of its node',
    (nodes) => {
      const merged = Buffer.concat(nodes.map(([name, tag]) => labelMessages(answer(tag), metadataField(name))));
      const { messages } = fromBinary(VersionResponseSchema, merged);
      expect(messages.map((message) => [message.metadata?.hostname, message.version?.tag])).toEqual(nodes);
    },
  );

  it('an answer without entries becomes one that names its node', () => {
    const { messages } = fromBinary(VersionResponseSchema, labelMessages(new Uint8Array(), metadataField('a')));
    expect(messages.map((message) => message.metadata?.hostname)).toEqual(['a']);
  });

  it('a failure is an entry of its own, with the status in words and in numbers', () => {
    const failed = metadataField('a', { code: 14, text: 'gone' });
    const { messages } = fromBinary(VersionResponseSchema, labelMessages(new Uint8Array(), failed));
    expect(messages[0]?.metadata).toMatchObject({
      hostname: 'a',
      error: 'rpc error: code = Unavailable desc = gone',
      status: { code: 14, message: 'gone' },
    });
  });

  test.prop([fc.string(), fc.uint8Array()])('a message of a stream keeps its bytes and gets a name', (name, bytes) => {
    const message = toBinary(DataSchema, create(DataSchema, { bytes }));
    const read = fromBinary(DataSchema, labelMessage(message, metadataField(name)));
    expect([read.metadata?.hostname, [...read.bytes]]).toEqual([name, [...bytes]]);
  });

  it('bytes that are no message are refused', () => {
    expect(() => labelMessages(Uint8Array.of(0x0a, 0x7f), metadataField('a'))).toThrow('ends early');
  });
});

describe('frames', () => {
  test.prop([fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 5 }), fc.integer({ min: 1, max: 20 })])(
    'come out whole, however the stream is cut',
    async (messages, size) => {
      const bytes = Buffer.concat(messages.map(frame));
      async function* cut(): AsyncIterable<Uint8Array> {
        for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      }
      const read: Uint8Array[] = [];
      for await (const message of messagesOf(cut())) read.push(message);
      expect(read.map((message) => [...message])).toEqual(messages.map((message) => [...message]));
    },
  );
});
