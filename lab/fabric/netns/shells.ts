import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Ended {
  readonly code: number;
  /** What it said on stderr. */
  readonly said: string;
}

/** Node starts a process in milliseconds in which nothing else of the lab happens; a shell does it elsewhere. */
export interface Shells {
  /** Runs a program to its end, with `input` on stdin. */
  run(command: readonly string[], input: string): Promise<Ended>;
  close(): Promise<void>;
}

const SIZE = 4;
/** No line that `ip` or `nft` says or is told is this one. */
const MARK = 'fairlead-lab-end-of-command';

/**
 * A few shells that wait for commands, started as they are needed. They end when this process does, as their stdin is
 * then at its end.
 */
export function createShells(env: Readonly<Record<string, string | undefined>>): Shells {
  const free: Shell[] = [];
  const all = new Set<Shell>();
  const waiting: ((shell: Shell) => void)[] = [];

  const take = (): Promise<Shell> | Shell => {
    const known = free.pop();
    if (known !== undefined) return known;
    if (all.size >= SIZE) return new Promise((resolve) => waiting.push(resolve));
    const made = createShell(env);
    all.add(made);
    return made;
  };
  const giveBack = (shell: Shell): void => {
    const next = waiting.shift();
    if (shell.gone) {
      all.delete(shell);
      if (next !== undefined) void Promise.resolve(take()).then(next);
    } else if (next === undefined) free.push(shell);
    else next(shell);
  };

  return {
    async run(command, input) {
      const shell = await take();
      try {
        return await shell.run(command, input);
      } finally {
        giveBack(shell);
      }
    },
    async close() {
      await Promise.all([...all].map((shell) => shell.close()));
      all.clear();
      free.length = 0;
    },
  };
}

interface Shell {
  readonly gone: boolean;
  run(command: readonly string[], input: string): Promise<Ended>;
  close(): Promise<void>;
}

function createShell(env: Readonly<Record<string, string | undefined>>): Shell {
  const child: ChildProcessWithoutNullStreams = spawn('sh', [], { stdio: ['pipe', 'pipe', 'pipe'], env });
  let heard = '';
  let tell: ((ended: Ended) => void) | undefined;
  let gone = false;
  const end = (why: string): void => {
    gone = true;
    tell?.({ code: 127, said: why });
  };
  child.once('error', (error) => end(error.message));
  child.once('exit', (code, signal) => end(`its shell ended (${signal ?? code})`));
  child.stdin.on('error', () => {});
  // A shell itself has nothing to say; its commands' words come on stdout.
  child.stderr.resume();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    heard += text;
    const end = new RegExp(`^([^]*)\\n${MARK} (\\d+)\\n$`).exec(heard);
    if (end === null) return;
    heard = '';
    tell?.({ code: Number(end[2]), said: end[1] ?? '' });
  });
  return {
    get gone() {
      return gone;
    },
    async run(command, input) {
      if (gone) return { code: 127, said: 'its shell has ended' };
      const ended = new Promise<Ended>((resolve) => {
        tell = resolve;
      });
      child.stdin.write(
        `said=$(${command.map(quoted).join(' ')} 2>&1 >/dev/null <<'${MARK}'\n${input}\n${MARK}\n); code=$?; printf '%s\\n%s %s\\n' "$said" ${MARK} "$code"\n`,
      );
      const result = await ended;
      tell = undefined;
      return result;
    },
    async close() {
      if (gone) return;
      const exited = once(child, 'exit');
      child.stdin.end();
      await exited;
    },
  };
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
