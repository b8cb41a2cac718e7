import { createTwoFilesPatch } from 'diff';
import { parseAllDocuments, stringify } from 'yaml';

/**
 * The difference part of a dry run's details: unified, three lines of context, both sides written anew without
 * comments. Talos writes its own field order; a config in another order differs from it here.
 */
export function configDifference(before: string, after: string): string {
  const [a, b] = [encoded(before), encoded(after)];
  if (a === b) return 'No changes.';
  const patch = createTwoFilesPatch('a', 'b', a, b, undefined, undefined, { context: 3 });
  return patch.slice(patch.indexOf('--- a')).replaceAll('\n\\ No newline at end of file', '');
}

const encoded = (text: string): string =>
  parseAllDocuments(text)
    .map((document) => mapping(document.toJS(), 0))
    .join('---\n');

/** A value as Go's encoder writes it: children begin at the next multiple of four, items of a list two after their dash. */
function mapping(value: unknown, indent: number): string {
  const pad = ' '.repeat(indent);
  if (Array.isArray(value)) {
    return value.map((item: unknown) => `${pad}- ${mapping(item, indent + 2).trimStart()}`).join('');
  }
  if (typeof value !== 'object' || value === null) return `${pad}${scalar(value, indent)}\n`;
  const deeper = 4 * Math.floor((indent + 4) / 4);
  return Object.entries(value)
    .map(([key, child]) => {
      const name = `${pad}${scalar(key, indent)}:`;
      const nested = typeof child === 'object' && child !== null;
      if (!nested) return `${name} ${scalar(child, deeper)}\n`;
      if (Object.keys(child as object).length === 0) return `${name} ${Array.isArray(child) ? '[]' : '{}'}\n`;
      return `${name}\n${mapping(child, deeper)}`;
    })
    .join('');
}

/** Text of several lines is a literal block under its key. */
function scalar(value: unknown, indent: number): string {
  const text = stringify(value, { lineWidth: 0, blockQuote: 'literal', indent: 4 }).trimEnd();
  const [head = '', ...lines] = text.split('\n');
  const body = lines.map((line) => (line === '' ? '' : ' '.repeat(indent) + line.replace(/^ {4}/, '')));
  return [head, ...body].join('\n');
}
