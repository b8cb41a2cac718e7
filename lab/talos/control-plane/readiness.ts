import { readFile } from 'node:fs/promises';
import https from 'node:https';
import { waitFor } from '../../../src/base/retry.ts';
import { inFolder } from '../files.ts';
import type { Machine } from '../machine.ts';

/**
 * Waits until the machine's own API server says `ok` at /readyz, asked as its kubelet does, behind the fabric. Rejects when
 * the signal is aborted.
 */
export async function untilApiServerReady(machine: Machine, port: number, signal: AbortSignal): Promise<void> {
  const { clock } = machine.ports;
  await waitFor(clock, { everyMs: 100, timeoutMs: Number.POSITIVE_INFINITY, signal }, async () =>
    (await saysReady(machine, port)) ? true : undefined,
  );
}

async function saysReady(machine: Machine, port: number): Promise<boolean> {
  const file = inFolder(machine.paths.kubernetes);
  const read = (name: string): Promise<string> => readFile(file(name), 'utf8').catch(() => '');
  const [ca, cert, key] = await Promise.all([
    read('ca.crt'),
    read('apiserver-kubelet-client.crt'),
    read('apiserver-kubelet-client.key'),
  ]);
  return new Promise((resolve) => {
    const request = https.get(
      {
        host: machine.ports.host.hidden,
        port,
        path: '/readyz',
        servername: 'localhost',
        ca,
        cert,
        key,
        agent: false,
        timeout: 2_000,
        headers: { 'user-agent': `kubelet/lab node/${machine.facts.hostname}` },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode === 200);
      },
    );
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
  });
}
