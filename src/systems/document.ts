import { type Document, LineCounter, parseDocument } from 'yaml';
import type * as z from 'zod';
import { EXIT, Failure, textOf } from '../base/failure.ts';

export interface DocumentKind {
  /** What the file is, for people: `talosconfig`, `kubeconfig`. */
  readonly noun: string;
  /** What gives a good one; a command where there is one. */
  readonly next: string;
}

/**
 * Reads YAML text against a schema. Every problem is told as file:line:column; values are never quoted, because these
 * files hold credentials. Throws a Failure (exit 2) for whatever is wrong, and nothing else.
 */
export function parseYamlAs<S extends z.ZodType>(
  schema: S,
  text: string,
  fileName: string,
  kind: DocumentKind,
): z.output<S> {
  const refuse = (problems: readonly string[]): never => {
    throw new Failure({
      code: `${kind.noun}-invalid`,
      exit: EXIT.usage,
      what: `${fileName} is not a ${kind.noun} that can be used`,
      why: problems.join('\n'),
      state: 'Nothing was changed.',
      next: kind.next,
    });
  };
  const lines = new LineCounter();
  let document: Document;
  let value: unknown;
  try {
    document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'silent' });
    if (document.errors.length === 0) value = document.toJS();
  } catch (error) {
    // Aliases without end, for one, are only found out while the value is made.
    return refuse([`${fileName}: not YAML: ${textOf(error)}`]);
  }
  const place = (offset: number | undefined): string => {
    const at = offset === undefined ? { line: 1, col: 1 } : lines.linePos(offset);
    return `${fileName}:${at.line}:${at.col}`;
  };
  if (document.errors.length > 0) {
    return refuse(document.errors.slice(0, 5).map((error) => `${place(error.pos[0])}: not YAML: ${error.code}`));
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  return refuse(
    parsed.error.issues
      .slice(0, 10)
      .map((issue) => `${place(offsetOf(document, issue.path))}: ${dotted(issue.path)}${issue.message}`),
  );
}

/** Where a path stands in the text; its nearest ancestor when it is absent. */
function offsetOf(document: Document, path: readonly PropertyKey[]): number | undefined {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
      return Number(node.range[0]);
    }
  }
  return undefined;
}

const dotted = (path: readonly PropertyKey[]): string =>
  path.length === 0
    ? ''
    : `${path.map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i === 0 ? '' : '.'}${String(part)}`)).join('')}: `;
