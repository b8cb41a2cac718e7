import { createInterface } from 'node:readline/promises';
import type { CommandContext, StricliProcess } from '@stricli/core';
import { type Clock, systemClock } from '../base/clock.ts';
import { EXIT, type ExitCode, Failure, textOf } from '../base/failure.ts';
import { type Random, systemRandom } from '../base/random.ts';

/** Everything a command knows of the outside. Built once, in main.ts; commands touch no global. */
export interface CliContext extends CommandContext {
  readonly process: StricliProcess;
  /** linux, darwin, … */
  readonly platform: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted by Ctrl-C (SIGINT) and SIGTERM, with an Interrupted as reason. */
  readonly signal: AbortSignal;
  /** Whether a person sits at stdin and stderr. */
  readonly interactive: boolean;
  /** Asks a yes/no question on stderr; only when interactive. */
  confirm(question: string): Promise<boolean>;
  /** The exit code a command has decided on; main.ts hands it to the process. */
  readonly exit: { code: ExitCode | undefined };
  /** Whether some output could not be written (a full disk); a reader that has gone does not count. */
  outputLost(): boolean;
}

/** The reason of the abort signal when the user interrupts. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor(by: string) {
    super(`interrupted (${by})`);
  }
}

export function createContext(system: typeof process): CliContext {
  const controller = new AbortController();
  let interrupts = 0;
  const interrupt = (by: 'SIGINT' | 'SIGTERM'): void => {
    interrupts += 1;
    // The second time the user means it.
    if (interrupts > 1) system.exit(EXIT.interrupted);
    controller.abort(new Interrupted(by));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) system.on(name, () => interrupt(name));
  let lost = false;
  // A reader that has gone (`| head`) is no failure, and an apply must not end half-way because of a closed pager.
  for (const stream of [system.stdout, system.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') return;
      if (stream === system.stdout) system.stderr.write(`The output could not be written: ${error.message}\n`);
      lost = true;
    });
  }
  return {
    process: system as StricliProcess,
    platform: system.platform,
    cwd: system.cwd(),
    env: system.env,
    clock: systemClock,
    random: systemRandom,
    signal: controller.signal,
    interactive: system.stdin.isTTY === true && system.stderr.isTTY === true,
    confirm: async (question) => {
      const lines = createInterface({ input: system.stdin, output: system.stderr });
      // The line editor takes Ctrl-C for itself, and Ctrl-D leaves its question without an answer: that is a no.
      lines.on('SIGINT', () => interrupt('SIGINT'));
      const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('\n')));
      try {
        const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal: controller.signal }), ended]);
        // What follows an end of input begins on a line of its own.
        if (answer === '\n') system.stderr.write('\n');
        return /^y(es)?$/i.test(answer.trim());
      } catch (error) {
        if (!controller.signal.aborted) throw error;
        system.stderr.write('\n');
        throw stoppedAtQuestion(controller.signal.reason);
      } finally {
        lines.close();
      }
    },
    exit: { code: undefined },
    outputLost: () => lost,
  };
}

/** Ctrl-C where the consent was asked for: nothing had begun. */
const stoppedAtQuestion = (reason: unknown): Failure =>
  new Failure({
    code: 'interrupted',
    exit: EXIT.interrupted,
    what: 'Interrupted',
    why: textOf(reason),
    state: 'Nothing was changed.',
    next: 'Run the same command again: it asks again.',
  });

/** Refusal of a question where nobody can answer. */
export const needsYes = (what: string): Failure =>
  new Failure({
    code: 'needs-yes',
    exit: EXIT.usage,
    what: `${what} needs your consent`,
    why: 'there is no terminal to ask at, and --yes was not given',
    state: 'Nothing was changed.',
    next: 'Look at `fairlead plan`, then run again with --yes.',
  });
