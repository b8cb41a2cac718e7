import { styleText } from 'node:util';

/** How the story is told to a person: titles, what happens meanwhile, what came of it. */
export interface Narrator {
  readonly title: (name: string, text: string) => void;
  /** A line of a command's progress. */
  readonly progress: (line: string) => void;
  readonly say: (text: string) => void;
  /** A result to read, such as the plan. */
  readonly document: (text: string) => void;
  readonly outcome: (ok: boolean, durationMs: number) => void;
}

export function createNarrator(
  out: { write(text: string): unknown; readonly isTTY?: boolean },
  color: boolean,
): Narrator {
  const paint = (style: Parameters<typeof styleText>[0], text: string): string =>
    color ? styleText(style, text, { validateStream: false }) : text;
  return {
    title: (name, text) => out.write(`\n${paint('bold', `${name}. ${text}`)}\n`),
    progress: (line) => out.write(`${paint('gray', `   ${line}`)}\n`),
    say: (text) => out.write(`   ${text}\n`),
    document: (text) => out.write(`${text.replaceAll(/^/gm, '   | ').trimEnd()}\n`),
    outcome: (ok, durationMs) =>
      out.write(`   ${ok ? paint('green', 'done') : paint('red', 'failed')} in ${(durationMs / 1000).toFixed(1)} s\n`),
  };
}
