import { NEEDS, type Told, type Use } from './needs.ts';
import { statusOf, wasLeft, type RecordedCall } from './recordings.ts';
import type { Result } from './replay.ts';
import type { Translator } from './translate.ts';

/** Codes with which a stream may end beside the recorded one. */
export const TOLERATED_WHILE_IT_GOES = (action: Use['action']): ReadonlySet<number> =>
  new Set(action === undefined ? [] : [0, 14]);

/** The recorded status, the recorded error of every node, and what the client needs. */
export function judge(
  call: RecordedCall,
  result: Result,
  use: Use,
  names: Translator,
  tolerated: ReadonlySet<number> = new Set(),
): string[] {
  const recorded = statusOf(call);
  const { answer, code } = result;
  const troubles: string[] = [];
  const afterReset = use.action === 'reset' && code === 14;
  const counts = (one: number): boolean => one === recorded || call.alsoRecorded?.includes(one) === true;
  if (code === undefined ? !wasLeft(call) && !tolerated.has(0) : !counts(code) && !tolerated.has(code) && !afterReset) {
    troubles.push(
      code === undefined
        ? `it goes on; recorded is status ${recorded}`
        : `status ${code} (${result.message}); recorded is ${recorded}${recordedText(call)}`,
    );
  }
  troubles.push(...nodeErrors(call, answer.messages, names));
  if (recorded === 0 || tolerated.size > 0) {
    const need = NEEDS[call.method ?? ''];
    if (need !== undefined && (code === 0 || code === undefined || tolerated.size > 0)) troubles.push(...need(answer, use));
  }
  return troubles;
}

const recordedText = (call: RecordedCall): string => {
  const message = typeof call.status === 'object' ? (call.status.message ?? '') : '';
  return message === '' ? '' : ` (${message})`;
};

/** Which nodes answered, and with which error code each: `127.0.9.1` -> 0. */
function nodesOf(messages: readonly Told[], texts: string[] = []): Map<string, number> {
  const nodes = new Map<string, number>();
  for (const message of messages) {
    const parts = Array.isArray(message['messages']) ? (message['messages'] as Told[]) : [message];
    for (const part of parts) {
      const metadata = part['metadata'] as Told | undefined;
      const host = metadata?.['hostname'];
      if (typeof host !== 'string') continue;
      const status = metadata?.['status'] as Told | undefined;
      const code = typeof metadata?.['error'] === 'string' && metadata['error'] !== '' ? Number(status?.['code'] ?? 2) : 0;
      if (code !== 0 && typeof metadata?.['error'] === 'string') texts.push(metadata['error']);
      nodes.set(host, Math.max(nodes.get(host) ?? 0, code));
    }
  }
  return nodes;
}

/** The error text of an answer that carries errors node by node, as the client prints it. */
function nodeErrors(call: RecordedCall, messages: readonly Told[], names: Translator): string[] {
  // Resources have metadata of another kind.
  if (call.method?.startsWith('/cosi.') === true) return [];
  const recorded = nodesOf(call.answers ?? []);
  const texts: string[] = [];
  const own = nodesOf(messages, texts);
  const troubles: string[] = [];
  for (const [node, code] of recorded) {
    const found = own.get(names.text(node));
    if (found === undefined) {
      if (call.kind === 'unary' || code !== 0) troubles.push(`no answer in the name of ${node}`);
    } else if (found !== code) troubles.push(`node ${node} answers with error code ${found} (${texts.join('; ')}); recorded is ${code}`);
  }
  const expected = new Set([...recorded.keys()].map((node) => names.text(node)));
  for (const node of own.keys()) {
    if (expected.size > 0 && !expected.has(node)) troubles.push(`an answer in the name of ${node}, which was not asked`);
  }
  return troubles;
}
