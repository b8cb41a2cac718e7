import { parseTalosconfigDocument } from './read.ts';
import type { TalosconfigLists } from './desired.ts';

/** The same talosconfig with other lists in one context; other contexts, credentials, comments and order stay. */
export function setTalosconfigLists(text: string, context: string, lists: TalosconfigLists): string {
  const document = parseTalosconfigDocument(text);
  if (!document.hasIn(['contexts', context])) throw new Error(`it has no context ${context}`);
  for (const key of ['endpoints', 'nodes'] as const) {
    document.setIn(['contexts', context, key], document.createNode([...lists[key]]));
  }
  return document.toString({ lineWidth: 0 });
}
