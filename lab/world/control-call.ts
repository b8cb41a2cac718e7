import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import type { LabRecord } from './info.ts';

/** One call to the lab's control server, wherever it listens. Rejects when it does not answer, or not with JSON. */
export async function callControl(
  record: LabRecord,
  method: string,
  where: string,
  options: { readonly body?: unknown; readonly signal?: AbortSignal } = {},
): Promise<{ readonly ok: boolean; readonly body: unknown }> {
  const { url, token, socket } = record.control;
  const text = options.body === undefined ? undefined : JSON.stringify(options.body);
  return await new Promise((resolve, reject) => {
    const sent = request(
      `${url}${where}`,
      {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(text === undefined ? {} : { 'content-type': 'application/json' }),
        },
        // By way of /proc the path is short, however long the state folder's is.
        ...(socket === undefined ? {} : { socketPath: `/proc/${record.pid}/cwd/${socket}` }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (response) => {
        const status = response.statusCode ?? 0;
        json(response).then((body) => resolve({ ok: status >= 200 && status < 300, body }), reject);
      },
    );
    sent.once('error', reject);
    sent.end(text);
  });
}
