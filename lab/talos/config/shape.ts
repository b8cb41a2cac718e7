import { DOCUMENT_KINDS } from './known-documents.ts';
import { V1ALPHA1_KEYS } from './known-v1alpha1.ts';
import { isWordType, type WordType } from './words.ts';

/**
 * What a place in a config may hold.
 *
 * Notation: names apart by blanks, each followed by its type: nothing = a scalar read as text, `:b` boolean, `:i` whole
 * number, `:y`, `:z`, `:w` whole number without sign of 8, 16, 32 bits, `:u` URL, `:c` base64, `:p` address prefix, `:n`
 * address, `:d` duration, `:h` hexadecimal bytes, `:r` port or range of ports, `:a` value of a command line argument (text;
 * from 1.13 on also a list of text), `:o` object, `:*` anything, `:BondMode` one of a list of words, `[T]` list, `<T>` map,
 * `{...}` section; then `@13` when the key came with 1.13.
 */
export type Shape =
  | { readonly kind: Scalar | 'argument' | 'object' | 'anything' }
  | { readonly kind: 'unsigned'; readonly bits: 8 | 16 | 32 }
  | { readonly kind: 'word'; readonly type: WordType }
  | { readonly kind: 'list'; readonly item: Shape }
  | { readonly kind: 'map'; readonly item: Shape }
  | { readonly kind: 'section'; readonly keys: ReadonlyMap<string, Key> };

export interface Key {
  readonly shape: Shape;
  /** Minor version of Talos that brought it. */
  readonly since: number;
}

/** What is read from one text. */
export type Scalar =
  | 'text'
  | 'boolean'
  | 'integer'
  | 'url'
  | 'base64'
  | 'prefix'
  | 'address'
  | 'duration'
  | 'hexadecimal'
  | 'ports';

const LETTERS: Readonly<Record<string, Shape>> = {
  s: { kind: 'text' },
  b: { kind: 'boolean' },
  i: { kind: 'integer' },
  y: { kind: 'unsigned', bits: 8 },
  z: { kind: 'unsigned', bits: 16 },
  w: { kind: 'unsigned', bits: 32 },
  u: { kind: 'url' },
  c: { kind: 'base64' },
  p: { kind: 'prefix' },
  n: { kind: 'address' },
  d: { kind: 'duration' },
  h: { kind: 'hexadecimal' },
  r: { kind: 'ports' },
  a: { kind: 'argument' },
  o: { kind: 'object' },
  '*': { kind: 'anything' },
};

/** Reads the notation above. Throws on a mistake in a table: a bug. */
function parseKeys(text: string): ReadonlyMap<string, Key> {
  const tokens = text.match(/[\w-]+|[:@[\]<>{}*]/g) ?? [];
  let at = 0;
  const expect = (token: string): void => {
    if (tokens[at] !== token) throw new SyntaxError(`"${token}" expected, not "${tokens[at]}"`);
    at += 1;
  };
  const letter = (): Shape => {
    const token = tokens[at] ?? '';
    const shape = LETTERS[token] ?? (isWordType(token) ? ({ kind: 'word', type: token } as const) : undefined);
    if (shape === undefined) throw new SyntaxError(`no type is called "${token}"`);
    at += 1;
    return shape;
  };
  const bracketed = (): Shape | undefined => {
    const open = tokens[at];
    if (open === '{') {
      at += 1;
      const keys = section();
      expect('}');
      return { kind: 'section', keys };
    }
    if (open !== '[' && open !== '<') return undefined;
    at += 1;
    const item = bracketed() ?? letter();
    expect(open === '[' ? ']' : '>');
    return { kind: open === '[' ? 'list' : 'map', item };
  };
  const section = (): ReadonlyMap<string, Key> => {
    const keys = new Map<string, Key>();
    for (let name = tokens[at]; name !== undefined && name !== '}'; name = tokens[at]) {
      at += 1;
      let shape: Shape | undefined;
      if (tokens[at] === ':') {
        at += 1;
        shape = letter();
      } else shape = bracketed();
      let since = 0;
      if (tokens[at] === '@') {
        since = Number(tokens[at + 1]);
        at += 2;
      }
      keys.set(name, { shape: shape ?? { kind: 'text' }, since });
    }
    return keys;
  };
  return section();
}

const V1ALPHA1: Key = { shape: { kind: 'section', keys: parseKeys(V1ALPHA1_KEYS) }, since: 0 };

const KINDS: ReadonlyMap<string, Key> = new Map(
  DOCUMENT_KINDS.trim()
    // A line that does not begin with a kind continues the one before.
    .split(/\n\s*(?=[A-Z]\w*@\d+ )/)
    .map((line) => {
      const [, kind = '', since, keys = ''] = /^(\w+)@(\d+) ([^]*)$/.exec(line.trim()) ?? [];
      const common = { shape: { kind: 'text' }, since: 0 } as const;
      const all = new Map<string, Key>([['apiVersion', common], ['kind', common], ...parseKeys(keys)]);
      return [kind, { shape: { kind: 'section', keys: all }, since: Number(since) }];
    }),
);

/** The shape of a document kind for a version, `''` being the v1alpha1 document; undefined when that version has no such kind. */
export function shapeOf(kind: string, minor: number): Shape | undefined {
  const key = kind === '' ? V1ALPHA1 : KINDS.get(kind);
  return key === undefined || key.since > minor ? undefined : key.shape;
}

/** Kinds that have a `name` and so may occur several times. */
export function isNamed(kind: string): boolean {
  const shape = KINDS.get(kind)?.shape;
  return shape?.kind === 'section' && shape.keys.has('name');
}
