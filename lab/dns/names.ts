/** A domain name as its labels, leftmost first; the root has none. Compared without regard to case. */
export type Labels = readonly string[];

const LABEL_LIMIT = 63;
const NAME_LIMIT = 255;

/**
 * Reads a name as zone files spell it: `\.` is a dot inside a label, `\DDD` a byte. A trailing dot is dropped.
 * Throws a RangeError where a label is empty or longer than 63 bytes, or the name longer than 255.
 */
export function parseName(text: string): Labels {
  if (text === '' || text === '.') return [];
  const labels: string[] = [];
  let label = '';
  for (const [part, code, escaped] of text.matchAll(/\\(\d{3})|\\(.)|[^\\]/gs)) {
    if (part === '.') {
      labels.push(label);
      label = '';
    } else label += code === undefined ? (escaped ?? part) : String.fromCharCode(Number(code));
  }
  if (!isWhole(text)) labels.push(label);
  return checkName(labels);
}

/** Whether it ends in a dot that is not part of a label. */
const isWhole = (text: string): boolean => /(?:^|[^\\])(?:\\\\)*\.$/.test(text);

export function checkName(labels: Labels): Labels {
  for (const label of labels) {
    const length = Buffer.byteLength(label, 'latin1');
    if (length === 0 || length > LABEL_LIMIT) throw new RangeError(`a label has 1 to 63 bytes: "${label}"`);
  }
  if (labels.reduce((sum, label) => sum + label.length + 1, 1) > NAME_LIMIT)
    throw new RangeError('a name has at most 255 bytes');
  return labels;
}

/** Relative to a zone, as the Cloud API has it: `@` is the zone itself; a trailing dot ends a name that is whole. */
export function absoluteName(text: string, origin: Labels): Labels {
  if (text === '@') return origin;
  return isWhole(text) ? parseName(text) : checkName([...parseName(text), ...origin]);
}

/** The key under which a name is found. */
export const keyOf = (labels: Labels): string => labels.map(escapeLabel).join('.').toLowerCase();

/** As people and zone files spell it, with the trailing dot. */
export const spell = (labels: Labels): string => `${labels.map(escapeLabel).join('.')}.`;

const escapeLabel = (label: string): string =>
  label.replaceAll(/[.\\]/g, String.raw`\$&`).replaceAll(
    // oxlint-disable-next-line no-control-regex -- bytes of a label that no terminal should be sent
    /[\u0000-\u0020\u007f-\u00ff]/g,
    (byte) => `\\${String(byte.charCodeAt(0)).padStart(3, '0')}`,
  );
