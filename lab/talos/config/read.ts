import { conflicts } from './conflicts.ts';
import { derive } from './derive.ts';
import { loadDocuments, type ConfigDocument } from './documents.ts';
import { minorOf, readSettings } from './settings.ts';
import type { ConfigVerdict, ReadConfig } from './types.ts';
import { validateDocument } from './validate-documents.ts';
import { type RuntimeMode, validateV1Alpha1 } from './validate-v1alpha1.ts';
import { wholeErrors } from './validate-whole.ts';

/**
 * Reads a machine config as a node of that version does: strict decoding, validation, and what follows from it on a
 * machine with these facts. A refusal is the text `talosctl validate` prints (without the line feeds at its end), which is
 * also what the node answers. A config without a v1alpha1 document passes validation and is refused here: outside
 * maintenance mode a node needs one.
 */
export const readConfig: ReadConfig = (text, version, facts): ConfigVerdict => {
  const verdict = checkConfig(text, minorOf(version));
  if ('refusal' in verdict) return { kind: 'refused', message: verdict.refusal };
  const { documents, warnings } = verdict;
  if (!documents.some(({ kind }) => kind === '')) {
    return {
      kind: 'refused',
      message:
        "the applied machine configuration doesn't contain v1alpha1 config, did you mean to patch the machine config instead?",
    };
  }
  return { kind: 'accepted', derived: derive(readSettings(documents, version), facts), warnings };
};

/** Decoding and validation alone: what `talosctl validate --mode cloud` (or another mode) says. */
export function checkConfig(
  text: string,
  minor: number,
  mode: RuntimeMode = 'cloud',
):
  | { readonly refusal: string }
  | { readonly documents: readonly ConfigDocument[]; readonly warnings: readonly string[] } {
  const loaded = loadDocuments(text, minor);
  if ('refusal' in loaded) return loaded;
  const { documents } = loaded;
  const legacy = documents.find(({ kind }) => kind === '');
  const { errors, warnings } =
    legacy === undefined ? { errors: [], warnings: [] } : validateV1Alpha1(legacy.value, minor, mode);
  // 1.11 had no document that could be wrong in the ways checked here: it tells the mistakes without the frame.
  const framed = errors.length === 0 || minor < 12 ? errors : [`v1alpha1.Config: ${list(errors)}`];
  const all = [
    ...framed,
    ...documents.flatMap((document) => validateDocument(document, minor) ?? []),
    ...conflicts(documents),
    ...wholeErrors(documents, minor, mode),
  ];
  return all.length > 0 ? { refusal: list(all).trimEnd() } : { documents, warnings };
}

/** How Go's multierror prints. */
const list = (errors: readonly string[]): string =>
  `${errors.length === 1 ? '1 error' : `${errors.length} errors`} occurred:\n\t* ${errors.join('\n\t* ')}\n\n`;
