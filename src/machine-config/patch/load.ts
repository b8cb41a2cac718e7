import { isMap, isSeq } from 'yaml';
import { MachineConfigError } from '../error.ts';
import { parseYaml, type YamlDocument } from '../yaml-text.ts';
import { decodeAny, isNull } from './decode.ts';
import { type Deletion, takeDeletions } from './deletion.ts';
import { arrange, type ConfigDocument, decodeDocument, LEGACY_KIND, refuseRepetition } from './document.ts';
import type { Operation } from './json-patch.ts';
import { isStruct } from './value.ts';

export type Step = { readonly delete: Deletion } | { readonly merge: ConfigDocument };

/** A patch as Talos understands it: a strategic merge when it reads as configuration, else a JSON patch. */
export type Patch =
  | { readonly form: 'strategic'; readonly steps: readonly Step[] }
  | { readonly form: 'json'; readonly operations: readonly Operation[] };

function loadStrategic(documents: readonly YamlDocument[], minor: number): Patch {
  const seen = new Set<string>();
  const steps: Step[] = [];
  for (const document of documents) {
    const { deletions, empty } = takeDeletions(document);
    steps.push(...deletions.map((deletion) => ({ delete: deletion })));
    if (empty && (deletions.length > 0 || isMap(document.ast.contents))) continue;
    // From Talos 1.14 a patch may name a document twice.
    if (minor < 14 && isMap(document.ast.contents)) refuseRepetition(document.ast.contents, document, seen);
    const decoded = decodeDocument(document, minor);
    if (decoded !== undefined) steps.push({ merge: decoded });
  }
  if (steps.length === 0)
    throw new MachineConfigError('unreadable', 'there is no configuration in the patch (config not found)');
  const merges = arrange(
    steps.flatMap((step) => ('merge' in step ? step.merge : [])),
    minor >= 14,
  );
  // Talos takes the deletions of the v1alpha1 document first, then that document, then the rest in the order of the patch.
  const first = steps.filter((step) => 'delete' in step && step.delete.kind === LEGACY_KIND);
  const legacy = merges.filter((document) => document.kind === LEGACY_KIND).map((merge): Step => ({ merge }));
  const rest = steps.filter((step) => ('delete' in step ? step.delete.kind : step.merge.kind) !== LEGACY_KIND);
  return { form: 'strategic', steps: [...first, ...legacy, ...rest] };
}

function loadJson(documents: readonly YamlDocument[], minor: number): Patch | undefined {
  const document = documents[0];
  const root = document?.ast.contents;
  if (document === undefined || (!isMap(root) && isNull(root))) return { form: 'json', operations: [] };
  if (!isSeq(root)) return undefined;
  const list = decodeAny(root, { document, minor });
  if (!Array.isArray(list) || !list.every(isStruct)) return undefined;
  return { form: 'json', operations: list };
}

/** Reads a patch. When it is neither form, the trouble of reading it as configuration is told. */
export function loadPatch(text: string, minor: number): Patch {
  let trouble: unknown;
  try {
    return loadStrategic(parseYaml(text), minor);
  } catch (error) {
    if (!(error instanceof MachineConfigError)) throw error;
    trouble = error;
  }
  let json: Patch | undefined;
  try {
    json = loadJson(parseYaml(text), minor);
  } catch (error) {
    if (!(error instanceof MachineConfigError)) throw error;
  }
  if (json === undefined) throw trouble;
  return json;
}
