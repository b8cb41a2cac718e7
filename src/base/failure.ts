/** Exit codes of the command line (design §7). */
export const EXIT = {
  done: 0,
  failure: 1,
  usage: 2,
  planHasChanges: 3,
  refused: 4,
  bug: 70,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface FailureParts {
  /** A stable identifier, kebab-case: what scripts match on. */
  readonly code: string;
  readonly exit?: ExitCode;
  /** What failed, in one sentence. */
  readonly what: string;
  /** Why: the cause, with file:line:column or request id where there is one. */
  readonly why: string;
  /** The state the world is in now: "nothing was changed", "the endpoint is still on …". */
  readonly state: string;
  /** What to do next; a command where there is one. */
  readonly next: string;
  readonly cause?: unknown;
}

/** A failure a person must act on: always told in four parts. Anything else that is thrown is a bug (exit 70). */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly code: string;
  readonly exit: ExitCode;
  readonly what: string;
  readonly why: string;
  readonly state: string;
  readonly next: string;

  constructor(parts: FailureParts) {
    super(`${parts.what}: ${parts.why}`, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = parts.code;
    this.exit = parts.exit ?? EXIT.failure;
    this.what = parts.what;
    this.why = parts.why;
    this.state = parts.state;
    this.next = parts.next;
  }

  toJSON(): Record<string, string | number> {
    const { code, exit, what, why, state, next } = this;
    return { code, exit, what, why, state, next };
  }
}

/** The text of whatever was thrown, for the `why` of a failure. */
export function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.message === '') return error.errors.map(textOf).join('; ');
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const text = error.message === '' ? (code ?? error.name) : error.message;
  return error.cause instanceof Error && !text.includes(error.cause.message) ? `${text}: ${textOf(error.cause)}` : text;
}

export function assertNever(value: never): never {
  throw new TypeError(`unexpected value ${JSON.stringify(value)}`);
}
