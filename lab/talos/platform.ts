import http from 'node:http';
import { textOf } from '../../src/base/failure.ts';

/** Talos gives the metadata service as long as Hetzner's own client does. */
const TIMEOUT_MS = 5_000;

/**
 * Reads one document of the platform's metadata service as Talos does; undefined where the platform does not have it
 * (404), which Talos takes as it comes. Rejects when the service does not answer, or otherwise.
 */
export function readMetadata(url: string, path: string, userAgent: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const failed = (why: string, cause?: unknown): void =>
      reject(new Error(`failed to download from ${path}: ${why}`, { cause }));
    const request = http.get(
      `${url}/hetzner/v1/${path}`,
      { agent: false, headers: { 'user-agent': userAgent }, timeout: TIMEOUT_MS },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', (error) => failed(textOf(error), error));
        response.on('end', () => {
          if (response.statusCode === 200) resolve(text);
          else if (response.statusCode === 404) resolve(undefined);
          else failed(`status ${response.statusCode}`);
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', (error) => failed(textOf(error), error));
  });
}
