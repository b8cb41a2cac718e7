import { EXIT, Failure } from '../base/failure.ts';
import { API_VERSION } from '../base/version.ts';

/** Whether the words of a command line ask for JSON, also where the rest of them cannot be read. */
export function wantsJson(words: readonly string[]): boolean {
  const escape = words.indexOf('--');
  const own = escape < 0 ? words : words.slice(0, escape);
  return own.some((word, i) => word === '--output=json' || (word === 'json' && own[i - 1] === '--output'));
}

/** The words before the first flag: as much of the command as can be told of a line that was not understood. */
const commandOf = (words: readonly string[]): string => {
  const flag = words.findIndex((word) => word.startsWith('-'));
  return words.slice(0, flag < 0 ? undefined : flag).join(' ');
};

/** A command line that was not understood, as the one document on stdout. */
export function usageFailure(words: readonly string[], message: string): string {
  const failure = new Failure({
    code: 'usage',
    exit: EXIT.usage,
    what: 'The command line is not understood',
    why: message,
    state: 'Nothing was changed.',
    next: `See \`fairlead --help\`, or --help of the command (${commandOf(words) || 'none was named'}).`,
  });
  return `${JSON.stringify({ apiVersion: API_VERSION, kind: 'Failure', ...failure.toJSON() }, undefined, 2)}\n`;
}
