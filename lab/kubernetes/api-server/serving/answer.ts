import type { ServerResponse } from 'node:http';
import type { ObjectList } from '../objects/lists.ts';
import type { Resource } from '../objects/resources.ts';
import type { JsonRecord, KubeObject } from '../objects/types.ts';
import type { WatchEvent } from '../objects/watch.ts';

/** What a request gets, before it is written in the form that the client asked for. */
export type Answer =
  | { readonly kind: 'object'; readonly status: number; readonly resource: Resource; readonly object: KubeObject }
  | { readonly kind: 'list'; readonly list: ObjectList }
  | { readonly kind: 'watch'; readonly resource: Resource; readonly events: AsyncIterable<WatchEvent> }
  | { readonly kind: 'json'; readonly status: number; readonly body: JsonRecord; readonly contentType?: string }
  | { readonly kind: 'raw'; readonly status: number; readonly body: string | Buffer; readonly contentType: string };

/** Programs whose users read with their own eyes get indented JSON, as from kube-apiserver. */
const readByEye = (userAgent: string | undefined): boolean => /^(curl|Wget|Mozilla)\b/.test(userAgent ?? '');

export function jsonText(body: JsonRecord, userAgent: string | undefined, query: URLSearchParams): string {
  const pretty = query.get('pretty');
  const indent = pretty === null ? readByEye(userAgent) : !['false', '0'].includes(pretty);
  return indent ? `${JSON.stringify(body, null, 2)}\n` : `${JSON.stringify(body)}\n`;
}

/** Sends a whole answer; resolves when it is handed to the network or the client has gone. */
export function send(
  response: ServerResponse,
  status: number,
  contentType: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve);
    response.writeHead(status, {
      'cache-control': 'no-cache, private',
      'content-type': contentType,
      'content-length': Buffer.byteLength(body),
      ...headers,
    });
    response.end(body, () => resolve());
  });
}
