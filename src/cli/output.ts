import { styleText } from 'node:util';
import { EXIT, type ExitCode, Failure, textOf } from '../base/failure.ts';
import { API_VERSION } from '../base/version.ts';
import { type CliContext, Interrupted } from './context.ts';
import { fileFailure } from './file-failure.ts';

export interface OutputFlags {
  readonly output: 'text' | 'json';
  readonly color: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** How a command speaks: results to stdout, everything else to stderr; with --output json one document on stdout. */
export interface Printer {
  /** A finished result, as a person reads it; silent with --output json. */
  readonly text: (content: string) => void;
  /** The result as a document; silent with --output text. `kind` stands in it. */
  readonly json: (document: { readonly kind: string } & Record<string, unknown>) => void;
  /** Progress, on stderr; silent with --quiet. */
  readonly progress: (line: string) => void;
  /** Details that only --verbose shows, on stderr. */
  readonly detail: (line: string) => void;
  /** Colours for the result, as its own reader takes them. */
  readonly paint: (style: Style, content: string) => string;
  /** The same for progress and failures: `plan | less` is read without a terminal, its progress is not. */
  readonly paintProgress: (style: Style, content: string) => string;
  readonly isJson: boolean;
}

export function createPrinter(context: CliContext, flags: OutputFlags): Printer {
  const { stdout, stderr } = context.process;
  // NO_COLOR (no-color.org), a pipe and TERM=dumb all mean plain text.
  const colors = (stream: object): boolean =>
    flags.color &&
    (context.env['NO_COLOR'] ?? '') === '' &&
    context.env['TERM'] !== 'dumb' &&
    ((context.env['FORCE_COLOR'] ?? '') !== '' || ('isTTY' in stream && stream.isTTY === true));
  const painter =
    (stream: object): Printer['paint'] =>
    (style, content) =>
      colors(stream) ? styleText(style, content, { validateStream: false }) : content;
  return {
    isJson: flags.output === 'json',
    text: (content) => {
      if (flags.output === 'text') stdout.write(content.endsWith('\n') ? content : `${content}\n`);
    },
    json: (document) => {
      if (flags.output === 'json')
        stdout.write(`${JSON.stringify({ apiVersion: API_VERSION, ...document }, undefined, 2)}\n`);
    },
    progress: (line) => {
      if (!flags.quiet) stderr.write(`${line}\n`);
    },
    detail: (line) => {
      if (flags.verbose) stderr.write(`${line}\n`);
    },
    paint: painter(stdout),
    paintProgress: painter(stderr),
  };
}

/**
 * Runs a command's body and turns whatever it throws into output and an exit code: a Failure in its four parts,
 * an interruption with the state of the world, anything else as a bug with its stack.
 */
export async function runCommand(
  context: CliContext,
  flags: OutputFlags,
  body: (printer: Printer) => Promise<ExitCode | void>,
  /** What is true of the world when the user interrupts. */
  interruptedState = 'Nothing was changed.',
): Promise<void> {
  const printer = createPrinter(context, flags);
  try {
    context.exit.code = (await body(printer)) ?? EXIT.done;
  } catch (error) {
    context.exit.code = report(context, printer, error, interruptedState);
  }
}

function report(context: CliContext, printer: Printer, error: unknown, interruptedState: string): ExitCode {
  const interrupted = context.signal.aborted && (error instanceof Interrupted || isAbort(error));
  const failure = interrupted
    ? new Failure({
        code: 'interrupted',
        exit: EXIT.interrupted,
        what: 'Interrupted',
        why: textOf(context.signal.reason),
        state: interruptedState,
        next: 'Run the same command again: it looks at what is there and goes on.',
      })
    : error instanceof Failure
      ? error
      : fileFailure(error, interruptedState);
  if (failure === undefined) {
    const stack = error instanceof Error ? (error.stack ?? textOf(error)) : textOf(error);
    printer.json({ kind: 'Failure', code: 'bug', exit: EXIT.bug, what: 'fairlead has a bug', why: textOf(error) });
    context.process.stderr.write(`fairlead has a bug: please report it with these lines.\n${stack}\n`);
    return EXIT.bug;
  }
  printer.json({ kind: 'Failure', ...failure.toJSON() });
  context.process.stderr.write(
    `${printer.paintProgress('red', failure.what)}\n` +
      `  why    ${indent(failure.why)}\n` +
      `  state  ${indent(failure.state)}\n` +
      `  next   ${indent(failure.next)}\n`,
  );
  return failure.exit;
}

const isAbort = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR'));

const indent = (text: string): string => text.replaceAll('\n', '\n         ');

/** Columns as wide as their widest cell; the first row is the heading. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
