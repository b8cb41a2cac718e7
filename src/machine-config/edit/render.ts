import { canonicalAddress } from '../address.ts';
import type { Source } from './source.ts';

/** What an edit writes: texts, truth values, lists and maps of them. */
export type Content = string | boolean | number | readonly Content[] | { readonly [key: string]: Content };

const WORDS = new Set(['', '~', 'null', 'true', 'false', 'yes', 'no', 'on', 'off', 'y', 'n', '.inf', '.nan']);

/** Whether the text reads as itself without quotes, in YAML 1.1 and 1.2, in block and in flow style. */
function isPlain(text: string): boolean {
  if (WORDS.has(text.toLowerCase()) || !/^[A-Za-z0-9][A-Za-z0-9._:/@%+-]*$/.test(text) || text.endsWith(':'))
    return false;
  if (text.includes('.') && canonicalAddress(text) === text) return true;
  // Numbers, dates and YAML 1.1's base 60.
  return (
    !/^[0-9][0-9_.:eExXoOabcdefABCDEF+TZ-]*$/.test(text) ||
    (text.includes('::') && canonicalAddress(text) !== undefined)
  );
}

/** A single value as YAML. `quote` keeps the style of the value it replaces. */
export function scalar(value: string | boolean | number, quote: 'plain' | 'single' | 'double' = 'plain'): string {
  if (typeof value !== 'string') return String(value);
  if (quote === 'single' && !/[\n\r\t]/.test(value)) return `'${value.replaceAll("'", "''")}'`;
  return quote === 'plain' && isPlain(value) ? value : JSON.stringify(value);
}

const isList = (content: Content): content is readonly Content[] => Array.isArray(content);

/** Content on one line: `[a, b]`, `{k: v}`. */
export function flow(content: Content): string {
  if (isList(content)) return `[${content.map((item) => flow(item)).join(', ')}]`;
  if (typeof content !== 'object') return scalar(content);
  const pairs = Object.entries(content).map(([key, value]) => `${scalar(key)}: ${flow(value)}`);
  return `{${pairs.join(', ')}}`;
}

type Habits = Pick<Source, 'step' | 'dash'>;

/** `key: content` as lines of a block map whose keys stand at the given column. */
export function pairLines(key: string, content: Content, column: number, habits: Habits): string[] {
  const head = `${' '.repeat(column)}${scalar(key)}:`;
  if (typeof content !== 'object') return [`${head} ${scalar(content)}`];
  if (isList(content)) {
    if (content.length === 0) return [`${head} []`];
    return [head, ...content.flatMap((item) => itemLines(item, column + habits.dash, habits))];
  }
  const pairs = Object.entries(content);
  if (pairs.length === 0) return [`${head} {}`];
  return [head, ...pairs.flatMap(([name, value]) => pairLines(name, value, column + habits.step, habits))];
}

/** `- content` as lines of a block list whose dashes stand at the given column. */
export function itemLines(content: Content, column: number, habits: Habits): string[] {
  const dash = `${' '.repeat(column)}- `;
  if (typeof content !== 'object') return [`${dash}${scalar(content)}`];
  if (isList(content)) return [`${dash}${flow(content)}`];
  const lines = Object.entries(content).flatMap(([name, value]) => pairLines(name, value, column + 2, habits));
  return lines.length === 0 ? [`${dash}{}`] : [`${dash}${lines[0]?.trimStart() ?? ''}`, ...lines.slice(1)];
}

/** A whole document, without its separator. */
export function documentLines(content: { readonly [key: string]: Content }, habits: Habits): string[] {
  return Object.entries(content).flatMap(([key, value]) => pairLines(key, value, 0, habits));
}
