// The lab's cloud API alone, with a project of a given size: actions take no time, and no quota or budget is met.
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { DEFAULT_KNOBS, type CloudKnobs, type Delay } from '../../lab/cloud/knobs.ts';
import { READ_WRITE, testCloud } from '../../lab/cloud/testing.ts';
import { createAudit } from '../../lab/world/audit.ts';
import { serve } from './child.ts';

export interface CloudReady {
  readonly url: string;
  readonly token: string;
  readonly servers: readonly number[];
  readonly floatingIP: number;
}

export interface Memory {
  /** Bytes, after a full collection of garbage. */
  readonly rss: number;
  readonly heap: number;
}

const FAR_AWAY = 1_000_000;
const NOW: Delay = [0, 0];
const raised = <T>(of: object, value: unknown): T =>
  Object.fromEntries(Object.keys(of).map((key) => [key, value])) as T;

const [servers = 3, balancers = 1] = process.argv.slice(2).map(Number);
const next = { public: 0, private: 0, floating: 0 };
const third = { public: 0, private: 128, floating: 64 };
const folder = await mkdtemp(path.join(os.tmpdir(), 'fairlead-bench-'));
const made = await testCloud({
  // To a file, as the lab's.
  audit: createAudit(path.join(folder, 'requests.jsonl'), () => new Date()),
  knobs: {
    delays: raised<CloudKnobs['delays']>(DEFAULT_KNOBS.delays, NOW),
    quotas: raised<CloudKnobs['quotas']>(DEFAULT_KNOBS.quotas, FAR_AWAY),
    rateLimit: { capacity: FAR_AWAY, refillPerSecond: FAR_AWAY },
  },
  effects: {
    allocate(purpose) {
      const n = (next[purpose] += 1);
      return `127.80.${third[purpose] + Math.floor(n / 250)}.${2 + (n % 250)}`;
    },
    // As the lab does it, but for the network: measured here is the API.
    routed: async () => {},
  },
});
// At most 25 servers a balancer, as the smallest type takes.
const ids = Array.from(
  { length: servers },
  (_, n) => made.cloud.addServer({ name: `server-${n}`, labels: { role: `r${n % 40}` }, userData: '' }).id,
);
for (let n = 0; n < balancers; n += 1) {
  await made.act('POST', '/load_balancers', {
    name: `balancer-${n}`,
    load_balancer_type: 'lb11',
    location: 'fsn1',
    services: [{ protocol: 'tcp', listen_port: 6443, destination_port: 6443, proxyprotocol: false }],
    targets: [{ type: 'label_selector', label_selector: { selector: 'role=r1' } }],
  });
}
const floating = await made.call('POST', '/floating_ips', { type: 'ipv4', home_location: 'fsn1', name: 'api' });
const ready: CloudReady = {
  url: made.cloud.url,
  token: READ_WRITE,
  servers: ids,
  floatingIP: (floating.body as { floating_ip: { id: number } }).floating_ip.id,
};
serve(
  ready,
  {
    memory: (): Memory => {
      globalThis.gc?.();
      const { rss, heapUsed } = process.memoryUsage();
      return { rss, heap: heapUsed };
    },
  },
  async () => {
    await made.cloud.close();
    await rm(folder, { recursive: true });
  },
);
