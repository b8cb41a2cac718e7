import type { Parameters } from './types.ts';

/** `*` is anything but a slash, `**` anything; the rest stands for itself. */
export function globMatches(glob: string, text: string): boolean {
  const pattern = glob
    .split(/(\*\*|\*)/)
    .map((part) =>
      part === '**' ? '.*' : part === '*' ? '[^/]*' : part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`),
    )
    .join('');
  return new RegExp(`^${pattern}$`, 's').test(text);
}

export interface RequestFacts {
  readonly method: string;
  /** With or without /v1 and query. */
  readonly path: string;
  /** As in `lab requests`. */
  readonly by: string;
}

/** Whether a request falls under a fault's scope. Calls of the lab itself do only when they are named. */
export function requestMatches(scope: Parameters, { method, path, by }: RequestFacts): boolean {
  const bare = (text: string): string => text.replace(/\?.*$/s, '').replace(/^\/v1(?=\/)/, '');
  const { path: glob, method: verb, party } = scope;
  if (typeof glob === 'string' && !globMatches(bare(glob), bare(path))) return false;
  if (typeof verb === 'string') {
    const wanted = verb.toUpperCase();
    if (wanted === 'WRITE' ? method === 'GET' || method === 'HEAD' : wanted !== method.toUpperCase()) return false;
  }
  if (typeof party !== 'string') return by !== 'lab';
  // A User-Agent holds slashes and spaces: here a star is anything.
  return globMatches(party.replaceAll(/\*+/g, '**'), by) || (party === 'node' && by.startsWith('node/'));
}

/** Whether an action falls under a fault's scope. */
export function actionMatches(
  scope: Parameters,
  action: { readonly command: string; readonly server?: string },
): boolean {
  const { action: glob, node } = scope;
  if (typeof glob === 'string' && !globMatches(glob, action.command)) return false;
  return typeof node !== 'string' || node === action.server;
}
