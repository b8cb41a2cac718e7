import { textAt, type Section } from './access.ts';
import { formatDuration, parseDuration } from './duration.ts';

/** One mistake, several, or none. */
export type Mistakes = readonly (string | undefined)[];

/** The checks of one kind of document, given its values, its name and the minor version of Talos. */
export type Check = (value: Section, name: string, minor: number) => Mistakes;

export const missing = (value: Section, key: string, words = `${key} must be specified`): string | undefined =>
  (textAt(value, key) ?? '') === '' ? words : undefined;

export const negative = (value: Section, key: string): string | undefined => {
  const text = textAt(value, key) ?? '';
  const ms = parseDuration(text) ?? 0;
  return ms < 0 ? formatDuration(ms) : undefined;
};
