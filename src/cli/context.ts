import { createInterface } from 'node:readline/promises';
import type { CommandContext, StricliProcess } from '@stricli/core';
import { type Clock, systemClock } from '../base/clock.ts';
import { EXIT, type ExitCode, Failure } from '../base/failure.ts';
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
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    system.on(name, () => {
      interrupts += 1;
      // The second time the user means it.
      if (interrupts > 1) system.exit(EXIT.interrupted);
      controller.abort(new Interrupted(name));
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
      try {
        const answer = await lines.question(`${question} [y/N] `, { signal: controller.signal });
        return /^y(es)?$/i.test(answer.trim());
      } finally {
        lines.close();
      }
    },
    exit: { code: undefined },
  };
}

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
