// A fabric with one machine and a load balancer before it; the machine's TLS server is a process of its own (`target`).
import { once } from 'node:events';
import { systemClock } from '../../src/base/clock.ts';
import { systemRandom } from '../../src/base/random.ts';
import { startBalancers } from '../../lab/balancer/balancers.ts';
import { startLoopback } from '../../lab/fabric/loopback.ts';
import type { Target } from './target.ts';
import { serve, start } from './child.ts';

export interface BalancerReady {
  readonly port: number;
  readonly ca: string;
  /** The machine's own address, and the balancer's before it. */
  readonly direct: string;
  readonly balanced: string;
  /** Where its process listens, behind the fabric. */
  readonly hidden: string;
}

const PORT = 6443;
const net = await startLoopback({ random: systemRandom });
const host = net.addHost('target');
const address = net.allocate('private');
const target = await start<Target>('target.ts', [host.hidden, String(PORT)]);
await host.claim(address);
await host.open(PORT);
await net.route(address, host);

const balancers = startBalancers({ clock: systemClock, fabric: net, speed: 10, log: () => {} });
const balanced = net.allocate('public');
let healthy = (): void => {};
const proven = new Promise<void>((resolve) => (healthy = resolve));
await balancers.apply({
  id: 1,
  name: 'bench',
  publicIPv4: balanced,
  publicEnabled: true,
  privateIPv4: undefined,
  algorithm: 'round_robin',
  maxConnections: 10_000,
  services: [
    {
      protocol: 'tcp',
      listenPort: PORT,
      destinationPort: PORT,
      proxyProtocol: false,
      healthCheck: { protocol: 'tcp', port: PORT, interval: 3, timeout: 2, retries: 2 },
    },
  ],
  targets: [{ key: 'target', server: 1, address, usePrivateIP: true, carried: true }],
  setHealth: (_target, _port, { status }) => {
    if (status === 'healthy') healthy();
  },
});
await proven;
const ready: BalancerReady = { port: PORT, ca: target.ready.ca, direct: address, balanced, hidden: host.hidden };
serve(ready, {}, async () => {
  await balancers.close();
  await target.end();
  await net.close();
});
void once(target.process, 'exit');
