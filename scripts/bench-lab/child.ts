import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

/** One of the programs beside this file, in a process of its own, so that what is measured does not wait for its meter. */
export interface Program<T> {
  readonly process: ChildProcess;
  /** What it said first. */
  readonly ready: T;
  /** Sends a word and gives the answer. */
  ask(word: string): Promise<unknown>;
  end(): Promise<void>;
}

/** Starts a program under an optional wrapper (`unshare …`); resolves when it says that it is ready. */
export async function start<T>(
  file: string,
  args: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<Program<T>> {
  const [command = '', ...rest] = [
    ...wrapper,
    process.execPath,
    '--expose-gc',
    path.join(import.meta.dirname, file),
    ...args,
  ];
  const child = spawn(command, rest, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const message = async (): Promise<unknown> => {
    const [said] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(([code]) => {
        throw new Error(`${file} ended with ${String(code)}`);
      }),
    ])) as [unknown];
    return said;
  };
  return {
    process: child,
    ready: (await message()) as T,
    ask(word) {
      const answer = message();
      child.send(word);
      return answer;
    },
    async end() {
      const gone = once(child, 'exit');
      child.send('end');
      await gone;
    },
  };
}

/** A program's own side: says that it is ready and answers each word until it hears `end`. */
export function serve(
  ready: unknown,
  answers: Readonly<Record<string, () => unknown>>,
  end: () => Promise<unknown>,
): void {
  process.on('message', (word) => {
    if (word === 'end') void end().finally(() => process.exit(0));
    else void (async () => process.send?.(await answers[String(word)]?.()))();
  });
  process.on('disconnect', () => process.exit(1));
  process.send?.(ready);
}
