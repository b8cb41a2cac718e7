const HEADER = 5;

/** One gRPC message with its header, uncompressed. */
export function frame(message: Uint8Array): Uint8Array {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** The messages in a stream of bytes. Rejects where one is compressed: nodes ask each other for plain ones. */
export async function* messagesOf(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  let held: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    held = Buffer.concat([held, chunk]);
    while (held.length >= HEADER) {
      const end = HEADER + held.readUInt32BE(1);
      if (held.length < end) break;
      if (held[0] !== 0) throw new Error('a compressed message');
      yield Uint8Array.from(held.subarray(HEADER, end));
      held = held.subarray(end);
    }
  }
  if (held.length > 0) throw new Error('a message was cut short');
}
