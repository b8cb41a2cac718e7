import { open } from 'node:fs/promises';
import type { Clock } from '../../../src/base/clock.ts';
import type { Machine } from '../machine.ts';

const POLL_MS = 200;
const CHUNK = 64 * 1024;

export const lastLines = (lines: readonly string[], count: number): readonly string[] =>
  count === 0 ? [] : count >= lines.length ? lines : lines.slice(-count);

/** Lines of the past, then the machine's log as it grows, until the signal is aborted. */
export async function* followLines(
  machine: Machine,
  past: readonly string[],
  signal: AbortSignal,
  wanted: (line: string) => boolean = () => true,
): AsyncIterable<string> {
  const queue = [...past];
  let wake: () => void = () => {};
  const off = machine.onLog((line) => {
    if (wanted(line)) queue.push(line);
    wake();
  });
  const stop = (): void => wake();
  signal.addEventListener('abort', stop);
  try {
    while (!signal.aborted) {
      const line = queue.shift();
      if (line !== undefined) yield line;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (signal.aborted || queue.length > 0) resolve();
        });
      }
    }
  } finally {
    off();
    signal.removeEventListener('abort', stop);
  }
}

/** The last lines of a file, then those that are added to it; a last line without its end is held back while it grows. */
export async function* followFile(
  clock: Clock,
  file: string,
  tail: number,
  follow: boolean,
  signal: AbortSignal,
): AsyncIterable<string> {
  const handle = await open(file, 'r');
  try {
    let at = 0;
    let held = '';
    const read = async (): Promise<string[]> => {
      const lines: string[] = [];
      const decoder = new TextDecoder();
      for (;;) {
        const { bytesRead, buffer } = await handle.read(Buffer.alloc(CHUNK), 0, CHUNK, at);
        if (bytesRead === 0) return lines;
        at += bytesRead;
        const parts = (held + decoder.decode(buffer.subarray(0, bytesRead), { stream: true })).split('\n');
        held = parts.pop() ?? '';
        lines.push(...parts);
      }
    };
    const past = await read();
    if (!follow && held !== '') past.push(held);
    yield* lastLines(past, tail);
    while (follow && !signal.aborted) {
      await clock.sleep(POLL_MS, signal).catch(() => {});
      yield* await read();
    }
  } finally {
    await handle.close();
  }
}
