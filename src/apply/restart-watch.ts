import tls from 'node:tls';
import { dialOf, tlsOptions } from '../probe/dial.ts';
import { USER_AGENT } from '../systems/user-agent.ts';
import type { KubeContext } from '../systems/kubernetes/types.ts';

/** A connection that is held open to see the process behind it end: nothing else tells a restart from a reloaded certificate. */
export interface RestartWatch {
  /** Whether the connection that was there has ended (or never was: then there is nothing to wait for). */
  readonly ended: boolean;
  close(): void;
}

const KEEP_WARM_MS = 5_000;

/** Opens the connection to an API server's own address and keeps it in use. Resolves when it stands, or could not be made. */
export function watchRestart(context: KubeContext, timeoutMs: number): Promise<RestartWatch> {
  const dial = dialOf(context);
  const request = `GET /livez HTTP/1.1\r\nHost: ${dial.authority}\r\nUser-Agent: ${USER_AGENT}\r\nConnection: keep-alive\r\n\r\n`;
  let ended = false;
  return new Promise((resolve) => {
    const socket = tls.connect(tlsOptions(dial, ['http/1.1']));
    const watch: RestartWatch = {
      get ended() {
        return ended;
      },
      close: () => socket.destroy(),
    };
    const warm = setInterval(() => socket.write(request), KEEP_WARM_MS);
    const late = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on('data', () => {});
    socket.on('error', () => {});
    socket.on('close', () => {
      ended = true;
      clearInterval(warm);
      clearTimeout(late);
      resolve(watch);
    });
    socket.on('secureConnect', () => {
      clearTimeout(late);
      socket.write(request);
      resolve(watch);
    });
  });
}
