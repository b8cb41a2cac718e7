import { isMap, isSeq, type Document, parseDocument } from 'yaml';
import { textOf } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import { sha256 } from '../../base/digest.ts';
import { known, unknown } from '../../model/fact.ts';
import type { TalosconfigContent, TalosconfigObservation } from '../../model/observation.ts';
import type { Files } from '../files.ts';

/** What a talosconfig lists: the context that was named, else the active one. */
export async function observeTalosconfig(
  files: Files,
  { file, context }: { readonly file: string; readonly context: string | undefined },
  at: string,
): Promise<TalosconfigObservation> {
  try {
    const text = await files.read(file);
    if (text === undefined) return { file, context, content: known(undefined, file, at) };
    const document = parseTalosconfigDocument(text);
    const contexts: unknown = document.get('contexts');
    const names = isMap(contexts) ? contexts.items.map((pair) => String(pair.key)) : [];
    const active: unknown = document.get('context');
    const name = context ?? (typeof active === 'string' ? active : undefined);
    if (context !== undefined && !names.includes(context)) {
      throw new Error(`it has no context ${context} (it has ${names.join(', ') || 'none'})`);
    }
    const entry: TalosconfigContent['entry'] =
      name === undefined || !names.includes(name)
        ? undefined
        : { context: name, endpoints: list(document, name, 'endpoints'), nodes: list(document, name, 'nodes') };
    const content = { sha256: sha256(text), text: new Redacted(text), contexts: names, entry };
    return { file, context, content: known(content, file, at) };
  } catch (error) {
    return { file, context, content: unknown(textOf(error), file) };
  }
}

export function parseTalosconfigDocument(text: string): Document {
  const document = parseDocument(text);
  const [error] = document.errors;
  if (error !== undefined) throw new Error(error.message.split('\n')[0] ?? error.message);
  if (!isMap(document.contents)) throw new Error('it is not a talosconfig: no mapping');
  return document;
}

function list(document: Document, context: string, key: 'endpoints' | 'nodes'): string[] {
  const node: unknown = document.getIn(['contexts', context, key]);
  if (!isSeq(node)) return [];
  const values: unknown = node.toJSON();
  return Array.isArray(values) ? values.filter((value) => typeof value === 'string') : [];
}
