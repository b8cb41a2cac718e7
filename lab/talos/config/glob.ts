/** A pattern with `*`, `?` and `[...]` as a regular expression for the whole text. */
export function glob(pattern: string): RegExp {
  const source = pattern.replaceAll(/\[[^\]]*\]|[*?]|[^*?[]+|\[/g, (part) => {
    if (part === '*') return '.*';
    if (part === '?') return '.';
    return part.startsWith('[') && part.endsWith(']')
      ? part.replace(/^\[[!^]/, '[^')
      : part.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  });
  return new RegExp(`^${source}$`, 's');
}
