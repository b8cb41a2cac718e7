import { type Document, isMap, isScalar, LineCounter, parseDocument, visit } from 'yaml';
import type * as z from 'zod';
import { EXIT, Failure, textOf } from '../base/failure.ts';
import { API_VERSION } from '../base/version.ts';
import { nearest } from './nearest.ts';
import { type ClusterConfig, clusterConfigSchema, configJsonSchema } from './schema.ts';

/** One thing wrong in the file, where it stands. */
export interface ConfigProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

type Path = readonly PropertyKey[];

/**
 * Reads the text of a configuration file: YAML, then the schema. Every problem carries line and column, says what was
 * expected and names the nearest valid key. Throws a Failure (exit 2) that lists them all.
 */
export function parseConfig(text: string, fileName: string): ClusterConfig {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const syntax = document.errors.map((error) => {
    const at = lines.linePos(error.pos[0]);
    return { line: at.line, column: at.col, message: error.message };
  });
  if (syntax.length > 0) throw configFailure(fileName, syntax);

  const newer = newerVersion(document);
  if (newer !== undefined) {
    throw new Failure({
      code: 'config-newer',
      exit: EXIT.usage,
      what: `${fileName} is written for another version of fairlead`,
      why: `${place(fileName, find(document, lines, ['apiVersion']))}: apiVersion is ${newer}, this tool reads ${API_VERSION}`,
      state: 'Nothing was read further, nothing was changed.',
      next: `Install the fairlead that knows ${newer}, or write apiVersion: ${API_VERSION} and its keys (fairlead config schema).`,
    });
  }

  const parsed = clusterConfigSchema.safeParse(valueOf(document, lines, fileName));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.flatMap((issue) => describe(issue, document, lines));
  // A misspelt key shows up twice, as unknown and as missing: the unknown one says all.
  const suggested = new Set(problems.flatMap((p) => (p.suggests === undefined ? [] : [p.suggests])));
  throw configFailure(
    fileName,
    problems.filter((p) => p.missing === undefined || !suggested.has(p.missing)),
  );
}

/** The plain value of the file. An alias without its anchor, and one that repeats too much, show only here. */
function valueOf(document: Document, lines: LineCounter, fileName: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    let offset = 0;
    visit(document, {
      Alias(_key, alias) {
        if (alias.resolve(document) !== undefined) return undefined;
        offset = alias.range?.[0] ?? 0;
        return visit.BREAK;
      },
    });
    const at = lines.linePos(offset);
    throw configFailure(fileName, [{ line: at.line, column: at.col, message: textOf(error) }]);
  }
}

function newerVersion(document: Document): string | undefined {
  const version: unknown = document.get('apiVersion');
  return typeof version === 'string' && version.startsWith('fairlead/') && version !== API_VERSION
    ? version
    : undefined;
}

interface Described extends ConfigProblem {
  readonly suggests?: string;
  readonly missing?: string;
}

function describe(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): Described[] {
  const path = issue.path;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const valid = keysAt(path);
      const guess = nearest(key, valid);
      const suffix = guess === undefined ? `valid here: ${valid.join(', ')}` : `did you mean ${guess}?`;
      return {
        ...find(document, lines, [...path, key], 'key'),
        message: `unknown key ${dotted([...path, key])}; ${suffix}`,
        ...(guess === undefined ? {} : { suggests: dotted([...path, guess]) }),
      };
    });
  }
  const at = find(document, lines, path);
  if (issue.code === 'invalid_type' && valueAt(document, path) === undefined) {
    return [{ ...at, message: `${dotted(path)} is missing (expected ${issue.expected})`, missing: dotted(path) }];
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String);
    const given = String(valueAt(document, path));
    const guess = nearest(given, values);
    const hint = guess === undefined ? '' : `; did you mean ${guess}?`;
    return [{ ...at, message: `${dotted(path)} is ${given}, expected ${values.join(' | ')}${hint}` }];
  }
  const expected = 'expected' in issue ? `expected ${String(issue.expected)}` : issue.message;
  return [
    {
      ...at,
      message: path.length === 0 ? `expected a mapping, as fairlead init writes it` : `${dotted(path)}: ${expected}`,
    },
  ];
}

const dotted = (path: Path): string =>
  path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`)).join('');

const valueAt = (document: Document, path: Path): unknown =>
  path.length === 0 ? document.toJS() : document.getIn(path);

/** The valid keys of the mapping at a path, out of the published schema. */
function keysAt(path: Path): string[] {
  let node: unknown = configJsonSchema();
  for (const part of path) {
    if (typeof node !== 'object' || node === null) return [];
    if (typeof part === 'number') node = 'items' in node ? node.items : undefined;
    else if ('properties' in node && typeof node.properties === 'object' && node.properties !== null) {
      node = (node.properties as Record<string, unknown>)[String(part)];
    } else return [];
  }
  if (typeof node !== 'object' || node === null || !('properties' in node)) return [];
  return Object.keys(node.properties as object);
}

/** Where a path stands in the text; the nearest ancestor when it is absent. */
function find(
  document: Document,
  lines: LineCounter,
  path: Path,
  part: 'key' | 'value' = 'value',
): { line: number; column: number } {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const parent: unknown =
      depth === 0 ? undefined : (document.getIn(path.slice(0, depth - 1), true) ?? document.contents);
    const node: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    let offset: number | undefined;
    if (part === 'key' && depth === path.length && isMap(parent)) {
      const pair = parent.items.find((item) => isScalar(item.key) && item.key.value === path[depth - 1]);
      if (pair !== undefined && isScalar(pair.key)) offset = pair.key.range?.[0];
    } else if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
      offset = Number(node.range[0]);
    }
    if (offset !== undefined) {
      const at = lines.linePos(offset);
      return { line: at.line, column: at.col };
    }
  }
  return { line: 1, column: 1 };
}

const place = (fileName: string, at: { line: number; column: number }): string => `${fileName}:${at.line}:${at.column}`;

function configFailure(fileName: string, problems: readonly ConfigProblem[]): Failure {
  const why = problems.map((p) => `${place(fileName, p)}: ${p.message}`).join('\n');
  return new Failure({
    code: 'config-invalid',
    exit: EXIT.usage,
    what: `${fileName} cannot be used`,
    why,
    state: 'Nothing was changed.',
    next: 'Correct the file; `fairlead config schema` prints its JSON Schema, `fairlead init` a working example.',
  });
}
