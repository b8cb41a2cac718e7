import {
  type Document,
  isNode,
  LineCounter,
  type Node,
  parseAllDocuments,
  type ParsedNode,
  type YAMLError,
} from 'yaml';
import { MachineConfigError, type Position } from './error.ts';

/** One document of a YAML text, with its syntax tree and the way from a node to its place in the text. */
export interface YamlDocument {
  readonly ast: Document.Parsed<ParsedNode>;
  positionOf(node: Node | null | undefined): Position | undefined;
}

const positioned = (lines: LineCounter, offset: number): Position => {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
};

/** Splits and parses a YAML text; broken YAML is a MachineConfigError with its place. A text without any document gives none. */
export function parseYaml(text: string): readonly YamlDocument[] {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    keepSourceTokens: true,
    uniqueKeys: false,
    strict: true,
    logLevel: 'silent',
  });
  if (!Array.isArray(parsed)) return [];
  return parsed.map((ast) => {
    const error: YAMLError | undefined = ast.errors[0];
    if (error !== undefined) {
      throw new MachineConfigError(
        'unreadable',
        `not YAML: ${error.message.split(/ at line |\n/)[0]}`,
        positioned(lines, error.pos[0]),
      );
    }
    if (ast.directives.yaml.explicit === true && ast.directives.yaml.version !== '1.1') {
      throw new MachineConfigError('unreadable', 'Talos takes no other %YAML directive than 1.1', {
        line: 1,
        column: 1,
      });
    }
    return {
      ast,
      positionOf: (node) => (isNode(node) && node.range ? positioned(lines, node.range[0]) : undefined),
    };
  });
}
