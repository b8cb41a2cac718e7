import { isMap } from 'yaml';
import type { TalosContext } from '../../systems/talos/types.ts';
import type { TalosconfigLists } from './desired.ts';
import { parseTalosconfigDocument } from './read.ts';

/**
 * Puts a cluster's context into an existing talosconfig (or into a new one) and gives the new text. A context of that name with the
 * same CA is replaced where it stands; one with another CA belongs to another cluster, and ours gets a number, as talosctl does it.
 */
export function mergeTalosconfig(
  existing: string | undefined,
  context: TalosContext,
  lists: TalosconfigLists,
  asked: string | undefined,
): { readonly text: string; readonly context: string } {
  const document = parseTalosconfigDocument(
    existing === undefined || existing.trim() === '' ? 'context: ""\ncontexts: {}\n' : existing,
  );
  const ca = encode(context.ca);
  let name = asked ?? context.name;
  for (let n = 1; document.hasIn(['contexts', name]) && document.getIn(['contexts', name, 'ca']) !== ca; n += 1) {
    name = `${asked ?? context.name}-${n}`;
  }
  const body: Record<string, unknown> = {
    endpoints: [...lists.endpoints],
    nodes: [...lists.nodes],
    ca,
    crt: encode(context.crt),
    key: encode(context.key.reveal()),
    ...(context.cluster === undefined ? {} : { cluster: context.cluster }),
  };
  const contexts: unknown = document.get('contexts', true);
  if (isMap(contexts)) contexts.flow = false;
  else document.set('contexts', document.createNode({}));
  for (const [key, value] of Object.entries(body)) document.setIn(['contexts', name, key], document.createNode(value));
  const active: unknown = document.get('context');
  if (typeof active !== 'string' || active === '') document.set('context', name);
  return { text: document.toString({ lineWidth: 0 }), context: name };
}

const encode = (pem: string): string => Buffer.from(pem, 'utf8').toString('base64');
