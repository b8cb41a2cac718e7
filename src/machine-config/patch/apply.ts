import { stringify } from 'yaml';
import { MachineConfigError } from '../error.ts';
import { minorOf } from '../version.ts';
import { parseYaml } from '../yaml-text.ts';
import { decodeAny } from './decode.ts';
import { applyDeletion } from './deletion.ts';
import { arrange, type ConfigDocument, decodeAll, identity, LEGACY_KIND } from './document.ts';
import { encode } from './encode.ts';
import { applyJsonPatch, type Operation } from './json-patch.ts';
import { loadPatch, type Patch } from './load.ts';
import { merge } from './merge.ts';
import { copy, isStruct, type StructValue, type Value } from './value.ts';

/** A patch file: its name is for errors only. */
export interface NamedPatch {
  readonly name: string;
  readonly text: string;
}

const API_VERSION = 'v1alpha1';

function toYaml(value: Value): string {
  return stringify(value, { lineWidth: 0, indent: 4, compat: 'yaml-1.1' });
}

function encodeDocument(document: ConfigDocument, minor: number): Value {
  if (document.stray === true && document.name !== undefined) {
    throw new MachineConfigError(
      'patch',
      `there is no document ${identity(document)} to delete: talosctl before 1.14 crashes here`,
    );
  }
  if (document.stray === true) return new Map();
  const fields = encode({ kind: 'struct', struct: document.struct }, document.fields, minor);
  if (document.kind === LEGACY_KIND) return fields;
  const meta: StructValue = new Map([
    ['apiVersion', API_VERSION],
    ['kind', document.kind],
  ]);
  return new Map([...meta, ...(isStruct(fields) ? fields : [])]);
}

function applyStrategic(
  base: readonly ConfigDocument[],
  patch: Extract<Patch, { form: 'strategic' }>,
  minor: number,
): ConfigDocument[] {
  const documents = [...base];
  // Before 1.14 a patch's document meets only what was there before the patch; that it also meets what the same patch added is
  // a guess for 1.14, where a patch may name a document twice.
  const met = new Set(base.map(identity));
  for (const step of patch.steps) {
    const target = 'delete' in step ? step.delete : step.merge;
    const id = identity(target);
    const index = minor >= 14 || met.has(id) ? documents.findIndex((document) => identity(document) === id) : -1;
    const found = documents[index];
    if ('merge' in step) {
      if (found === undefined) {
        documents.push({ ...step.merge, fields: copy(step.merge.fields) });
        continue;
      }
      const fields = merge(
        { kind: 'struct', struct: found.struct },
        found.fields,
        step.merge.fields,
        { minor },
        false,
        false,
      );
      documents[index] = { ...found, fields: isStruct(fields) ? fields : new Map() };
      continue;
    }
    if (found !== undefined) {
      const left = applyDeletion(found, step.delete, minor);
      documents.splice(index, 1, ...(left === undefined ? [] : [left]));
      if (left === undefined) met.delete(id);
    } else if (minor < 14) {
      documents.push({ kind: target.kind, struct: '', name: target.name, fields: new Map(), stray: true });
    }
  }
  return arrange(documents);
}

function applyJson(text: string, operations: readonly Operation[], minor: number): string {
  const documents = parseYaml(text);
  const document = documents[0];
  if (documents.length !== 1 || document === undefined) {
    throw new MachineConfigError(
      'patch',
      'JSON6902 patches are not supported for multi-document machine configuration',
    );
  }
  return toYaml(applyJsonPatch(decodeAny(document.ast.contents, { document, minor }, true), operations));
}

const encodeAll = (documents: readonly ConfigDocument[], minor: number): string =>
  documents.map((document) => toYaml(encodeDocument(document, minor))).join('---\n');

/**
 * Does what `talosctl machineconfig patch` of the given version does: strategic merge patches and JSON patches, one after another.
 * Comments are lost and the layout is ours; the meaning is Talos'. With no patches the text comes back as it is.
 *
 * @param base the machine configuration's text, one or several documents
 * @param patches applied in this order; JSON patches that follow each other act as one
 * @param version the Talos version (`v1.13.9`, any `v1.x`): kinds, fields and some rules differ by minor release
 * @throws MachineConfigError when talosctl fails, and also where it crashes
 */
export function applyPatches(base: string, patches: readonly NamedPatch[], version: string): string {
  const minor = minorOf(version);
  const loaded = patches.map((patch) => ({ ...patch, patch: named(patch.name, () => loadPatch(patch.text, minor)) }));
  let text = base;
  let documents: readonly ConfigDocument[] | undefined;
  for (const { name, patch } of loaded) {
    if (patch.form === 'json') {
      if (documents !== undefined) text = encodeAll(documents, minor);
      documents = undefined;
      text = named(name, () => applyJson(text, patch.operations, minor));
    } else {
      const before = documents ?? decodeAll(parseYaml(text), minor);
      documents = named(name, () => applyStrategic(before, patch, minor));
    }
  }
  return documents === undefined ? text : encodeAll(documents, minor);
}

function named<T>(name: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw error instanceof MachineConfigError ? error.inPatch(name) : error;
  }
}
