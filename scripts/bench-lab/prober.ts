import { createSecureContext, connect } from 'node:tls';

/** New, verified TLS connections, each with one word and its answer. */
export interface Rate {
  readonly perSecond: number;
  /** The time of the one in the middle, in milliseconds. */
  readonly median: number;
  readonly failed: number;
}

/** Makes connections for some seconds, so many at a time; no session is resumed. */
export async function connections(
  to: { readonly host: string; readonly port: number; readonly ca: string },
  seconds: number,
  atATime: number,
): Promise<Rate> {
  const secureContext = createSecureContext({ ca: to.ca });
  const once = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const began = performance.now();
      const socket = connect({ host: to.host, port: to.port, secureContext, servername: 'target' });
      let text = '';
      socket.on('secureConnect', () => socket.write('ping'));
      socket.on('data', (part: Buffer) => (text += part.toString()));
      socket.on('end', () => {
        socket.end();
        if (text === 'pong') resolve(performance.now() - began);
        else reject(new Error(`answered ${JSON.stringify(text)}`));
      });
      socket.on('error', reject);
      socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
    });
  const times: number[] = [];
  let failed = 0;
  const until = performance.now() + seconds * 1000;
  const began = performance.now();
  await Promise.all(
    Array.from({ length: atATime }, async () => {
      while (performance.now() < until) {
        try {
          times.push(await once());
        } catch {
          failed += 1;
        }
      }
    }),
  );
  const took = (performance.now() - began) / 1000;
  const median = times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
  return { perSecond: times.length / took, median, failed };
}
