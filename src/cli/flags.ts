import type { CliContext } from './context.ts';
import type { OutputFlags } from './output.ts';

/** Flags that every command has, in stricli's form. */
export const outputFlags = {
  output: {
    kind: 'enum',
    values: ['text', 'json'],
    default: 'text',
    brief: 'text for people, json for programs (one document on stdout)',
  },
  color: { kind: 'boolean', default: true, brief: 'Colours on a terminal (NO_COLOR is honoured too)' },
  quiet: { kind: 'boolean', default: false, brief: 'No progress, only the result' },
  verbose: { kind: 'boolean', default: false, brief: 'Show details of what is done' },
} as const;

export interface CommonFlags extends OutputFlags {
  readonly config?: string;
  readonly timeout: number;
}

/** Seconds, minutes or hours: `90s`, `20m`, `1h`; a bare number is seconds. Gives milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (match === null) throw new SyntaxError(`${text} is no duration; write 90s, 20m or 1h`);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] ?? 's'] ?? 1_000;
  return Number(match[1]) * unit;
}

export const commonFlags = {
  ...outputFlags,
  config: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'FILE',
    brief: 'The configuration (default: fairlead.yaml here or in a folder above)',
  },
  timeout: {
    kind: 'parsed',
    parse: parseDuration,
    default: '60m',
    placeholder: 'TIME',
    brief: 'Give up after this long: 90s, 20m, 1h',
  },
} as const;

/** Ctrl-C, or the command's own time limit. */
export const commandSignal = (context: CliContext, flags: { readonly timeout: number }): AbortSignal =>
  AbortSignal.any([context.signal, AbortSignal.timeout(flags.timeout)]);

export const stateFlag = {
  state: {
    kind: 'parsed',
    parse: String,
    default: '.fairlead/lab',
    placeholder: 'DIR',
    brief: 'Folder of the lab',
  },
} as const;
