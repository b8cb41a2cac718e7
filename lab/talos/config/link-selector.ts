import { glob } from './glob.ts';
import type { NodeFacts } from './types.ts';

type Link = NodeFacts['links'][number];
type Kind = 'bool' | 'string' | 'int' | 'bytes';

interface Term {
  readonly kind: Kind;
  readonly value: (link: Link) => string | number | boolean;
}

export type Selector = { readonly matches: (link: Link) => boolean } | { readonly error: string };

/** Fields of a link that expressions may name, with their types; those without a fact on lab machines are empty. */
const FIELDS: Readonly<Record<string, { kind: Kind; fact?: (link: Link) => string | undefined }>> = {
  ...Object.fromEntries(
    [
      'kind',
      'slave_kind',
      'driver_version',
      'firmware_version',
      'product_id',
      'vendor_id',
      'product',
      'vendor',
      'pciid',
    ].map((name) => [name, { kind: 'string' as const }]),
  ),
  ...Object.fromEntries(
    ['index', 'link_index', 'mtu', 'master_index', 'speed_megabits', 'port', 'type', 'operational_state', 'duplex'].map(
      (name) => [name, { kind: 'int' as const }],
    ),
  ),
  link_state: { kind: 'bool' },
  alias: { kind: 'string', fact: (link) => link.alias },
  bus_path: { kind: 'string', fact: (link) => link.busPath },
  driver: { kind: 'string', fact: (link) => link.driver },
  hardware_addr: { kind: 'bytes', fact: (link) => link.hardwareAddr },
  permanent_addr: { kind: 'bytes', fact: (link) => link.hardwareAddr },
};
const EMPTY = { string: '', bytes: '', int: 0, bool: true } as const;

class Refusal extends Error {}

/**
 * Reads the expression of a LinkAliasConfig: the part of CEL that such selectors use (`link.x`, text, numbers, `==`,
 * `!=`, `<`…, `&&`, `||`, `!`, parentheses, `glob(pattern, text)`, `mac(bytes)`, `.startsWith()`, `.endsWith()`,
 * `.contains()`). Anything else is refused, so that no selector is silently read as something it is not.
 */
export function compileSelector(source: string): Selector {
  try {
    const term = parse(source);
    return term.kind === 'bool'
      ? { matches: (link) => term.value(link) === true }
      : { error: `expression output type is ${term.kind}, expected bool` };
  } catch (error) {
    if (error instanceof Refusal) return { error: error.message };
    throw error;
  }
}

function parse(source: string): Term {
  const tokens = [
    ...source.matchAll(/\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\d+|\w+|&&|\|\||[=!<>]=|[!<>().,])|\s*(\S)/g),
  ];
  let at = 0;
  const peek = (): string | undefined => tokens[at]?.[1];
  const place = (shift = 0): number =>
    (tokens[at]?.index ?? source.length) + (tokens[at]?.[0].search(/\S/) ?? 0) + shift;
  const refuse = (message: string, column = place()): Refusal =>
    new Refusal(`ERROR: <input>:1:${column + 1}: ${message}\n | ${source}\n | ${'.'.repeat(column)}^`);
  const take = (token: string): boolean => {
    if (peek() !== token) return false;
    at += 1;
    return true;
  };
  const need = (token: string): void => {
    if (!take(token)) throw refuse(`Syntax error: ${JSON.stringify(token)} expected`);
  };
  const wants = (term: Term, kind: Kind): Term => {
    if (term.kind !== kind) throw refuse(`found no matching overload: ${kind} expected, not ${term.kind}`);
    return term;
  };

  const or = (): Term => binary(and, '||', (a, b) => a || b);
  const and = (): Term => binary(not, '&&', (a, b) => a && b);
  function binary(operand: () => Term, sign: string, join: (a: boolean, b: boolean) => boolean): Term {
    let left = operand();
    while (take(sign)) {
      const [a, b] = [wants(left, 'bool'), wants(operand(), 'bool')];
      left = { kind: 'bool', value: (link) => join(a.value(link) === true, b.value(link) === true) };
    }
    return left;
  }
  function not(): Term {
    if (!take('!')) return comparison();
    const term = wants(not(), 'bool');
    return { kind: 'bool', value: (link) => term.value(link) !== true };
  }
  function comparison(): Term {
    const left = member();
    const sign = peek() ?? '';
    if (!/^([=!<>]=|[<>])$/.test(sign)) return left;
    at += 1;
    const right = wants(member(), left.kind);
    return { kind: 'bool', value: (link) => compare(sign, left.value(link), right.value(link)) };
  }
  function member(): Term {
    let term = primary();
    while (take('.')) {
      const name = peek() ?? '';
      const method = METHODS[name];
      if (method === undefined) throw refuse(`undefined field '${name}'`, place(-1));
      at += 1;
      need('(');
      const [text, argument] = [wants(term, 'string'), wants(or(), 'string')];
      need(')');
      term = { kind: 'bool', value: (link) => method(String(text.value(link)), String(argument.value(link))) };
    }
    return term;
  }
  function primary(): Term {
    const token = peek();
    if (token === undefined) throw refuse('Syntax error: mismatched input');
    if (take('(')) {
      const term = or();
      need(')');
      return term;
    }
    if (/^\d/.test(token)) return literal('int', Number(token));
    if (/^["']/.test(token)) return literal('string', token.slice(1, -1).replaceAll(/\\(.)/g, '$1'));
    if (token === 'true' || token === 'false') return literal('bool', token === 'true');
    if (token === 'link') return field();
    if (token === 'glob' || token === 'mac') return call(token);
    throw refuse(`undeclared reference to '${token}' (in container '')`);
  }
  function literal(kind: Kind, value: string | number | boolean): Term {
    at += 1;
    return { kind, value: () => value };
  }
  function field(): Term {
    at += 1;
    const dot = place();
    need('.');
    const name = peek() ?? '';
    const known = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (known === undefined) throw refuse(`undefined field '${name}'`, dot);
    at += 1;
    return { kind: known.kind, value: (link) => known.fact?.(link) ?? EMPTY[known.kind] };
  }
  function call(name: 'glob' | 'mac'): Term {
    at += 1;
    need('(');
    const first = wants(or(), name === 'mac' ? 'bytes' : 'string');
    let second: Term | undefined;
    if (name === 'glob') {
      need(',');
      second = wants(or(), 'string');
    }
    need(')');
    if (second === undefined) return { kind: 'string', value: (link) => String(first.value(link)).toLowerCase() };
    const text = second;
    return { kind: 'bool', value: (link) => glob(String(first.value(link))).test(String(text.value(link))) };
  }

  const term = or();
  if (at < tokens.length) throw refuse('Syntax error: extraneous input');
  return term;
}

const METHODS: Readonly<Record<string, (text: string, argument: string) => boolean>> = {
  startsWith: (text, argument) => text.startsWith(argument),
  endsWith: (text, argument) => text.endsWith(argument),
  contains: (text, argument) => text.includes(argument),
};

function compare(sign: string, a: string | number | boolean, b: string | number | boolean): boolean {
  switch (sign) {
    case '==':
      return a === b;
    case '!=':
      return a !== b;
    case '<':
      return a < b;
    case '<=':
      return a <= b;
    case '>':
      return a > b;
    default:
      return a >= b;
  }
}
