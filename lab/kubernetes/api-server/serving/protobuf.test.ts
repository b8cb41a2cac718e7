import { expect, test } from 'vitest';
import { readProtobuf } from './protobuf.ts';

/** What kubectl 1.36 sends for `create configmap x --from-literal=a=b`. */
const created = Buffer.from(
  '6b3873000a0f0a02763112 09436f6e6669674d6170121b0a110a017812001a0022002a0032003800420012060a01611201621a002200'.replaceAll(
    ' ',
    '',
  ),
  'hex',
);

test('a ConfigMap as Go clients write it is the JSON it stands for', () => {
  expect(readProtobuf(created)).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'x', generation: 0 },
    data: { a: 'b' },
  });
});

test('a body that is no protobuf, is cut short, or of a kind that is not known is refused', () => {
  expect(() => readProtobuf(Buffer.from('{}  '))).toThrow(/does not appear to be a protobuf message/);
  expect(() => readProtobuf(created.subarray(0, 30))).toThrow();
  const pod = Buffer.from('6b3873000a090a0276311203506f6412020a00', 'hex');
  expect(() => readProtobuf(pod)).toThrow('415: Unsupported Media Type');
});
