import { stringify } from 'yaml';

/**
 * YAML as Go's encoder writes it (indentation 4, `- ` items, the children of an item's first key indented to the next
 * multiple of 4): used for the part of a config that Talos does not know.
 */
export function goYaml(value: unknown, indent = 0): string {
  const pad = ' '.repeat(indent);
  if (Array.isArray(value)) {
    if (value.length === 0) return `${pad}[]\n`;
    return value.map((item: unknown) => `${pad}- ${goYaml(item, indent + 2).trimStart()}`).join('');
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    if (entries.length === 0) return `${pad}{}\n`;
    const deeper = 4 * Math.floor((indent + 4) / 4);
    return entries
      .map(([key, child]) => {
        const nested = typeof child === 'object' && child !== null && Object.keys(child as object).length > 0;
        if (typeof child === 'string' && child.includes('\n')) return `${pad}${scalar(key)}: ${block(child, deeper)}`;
        return `${pad}${scalar(key)}:${nested ? `\n${goYaml(child, deeper)}` : ` ${goYaml(child).trim()}\n`}`;
      })
      .join('');
  }
  return `${pad}${scalar(value)}\n`;
}

/** A text of several lines. */
function block(text: string, indent: number): string {
  const chomp = !text.endsWith('\n') ? '-' : text.endsWith('\n\n') ? '+' : '';
  const lines = text.replace(/\n$/, '').split('\n');
  return `|${chomp}\n${lines.map((line) => (line === '' ? '\n' : `${' '.repeat(indent)}${line}\n`)).join('')}`;
}

const scalar = (value: unknown): string => stringify(value, { lineWidth: 0 }).trimEnd();
