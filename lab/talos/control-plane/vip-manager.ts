import { textOf } from '../../../src/base/failure.ts';
import type { EtcdClient } from '../../kubernetes/etcd/types.ts';
import type { VipOperatorSpec } from '../config/types.ts';
import type { KeptVip } from '../life/kept.ts';
import type { Machine } from '../machine.ts';
import { readMetadata } from '../platform.ts';
import { createHcloudHandler, findPlace, type HcloudOptions, type VipPlace } from '../vip/hcloud.ts';
import { startVipOperator, type VipOperator } from '../vip/operator.ts';

export interface VipManager {
  /** Starts, stops and replaces operators so that they are those of the config. Resolves when that is under way. */
  reconcile(specs: readonly VipOperatorSpec[]): Promise<void>;
  /** The pod object of the API server, or the etcd service, is gone. */
  letGo(): void;
  /** Orderly end of the machine or its kubelet: all addresses are handed over. */
  stop(): Promise<void>;
  kill(): void;
  readonly operators: () => readonly VipOperatorSpec[];
  /** Its places in the queues, for a machine that goes on from here. */
  kept(): readonly KeptVip[];
}

interface Entry {
  readonly spec: VipOperatorSpec;
  readonly cancel: AbortController;
  operator?: VipOperator;
}

/** Runs the shared IPs that the machine config names. */
export function createVipManager(
  machine: Machine,
  etcd: () => EtcdClient,
  addresses: {
    readonly arrived: (ip: string, link: string) => Promise<void>;
    readonly left: (ip: string) => Promise<void>;
  },
): VipManager {
  const entries = new Map<string, Entry>();
  const { ports, facts, times } = machine;
  let open = true;

  const userAgent = `Talos/${ports.version} hcloud-go/2.36.0 node/${facts.hostname}`;
  const cloudOf = (spec: VipOperatorSpec, serverId: number): HcloudOptions => ({
    cloudUrl: ports.cloudUrl,
    token: spec.apiToken ?? '',
    serverId,
    ip: spec.ip,
    localAddress: ports.host.hidden,
    userAgent,
    clock: ports.clock,
    random: ports.random,
    retryBaseMs: times.cloudRetryBaseMs,
    log: (line) => machine.log(line),
  });

  const ownServerId = async (): Promise<number> => {
    if (ports.metadataUrl === undefined) return facts.serverId;
    const text = await readMetadata(ports.metadataUrl, 'metadata/instance-id', userAgent);
    const id = Number(text);
    if (text === undefined || !Number.isSafeInteger(id))
      throw new Error(`error getting instance-id: ${text ?? 'none'}`);
    return id;
  };
  const begin = async (entry: Entry): Promise<void> => {
    const { spec, cancel } = entry;
    let serverId = facts.serverId;
    let place: VipPlace = { networkId: 0 };
    // The operator's spec is built only once the platform has told which server this is, and the cloud knows it: asked
    // again until it does.
    for (let n = 0; spec.kind === 'hcloud' && !cancel.signal.aborted; n += 1) {
      try {
        serverId = await ownServerId();
        place = await findPlace(cloudOf(spec, serverId), cancel.signal);
        break;
      } catch (error) {
        if (cancel.signal.aborted) return;
        machine.log(
          `controller failed {"controller": "network.OperatorVIPConfigController", "error": "${textOf(error)}"}`,
        );
        await ports.clock.sleep(times.campaignRetryMs * Math.min(60, 2 ** n), cancel.signal).catch(() => {});
      }
    }
    if (cancel.signal.aborted) return;
    entry.operator = startVipOperator(spec, {
      clock: ports.clock,
      hostname: facts.hostname,
      sessionTtlSeconds: times.sessionTtlSeconds,
      retryMs: times.campaignRetryMs,
      etcd,
      handler: spec.kind === 'hcloud' ? createHcloudHandler(cloudOf(spec, serverId), place) : undefined,
      ready: (signal) => untilReady(machine, () => open, signal),
      revokesLeases: ports.version !== 'v1.11.6',
      claim: addresses.arrived,
      unclaim: addresses.left,
      kept: machine.kept?.vips.find(({ link, ip }) => link === spec.link && ip === spec.ip),
      log: (line) => machine.log(line),
    });
  };

  const end = async (entry: Entry, how: 'graceful' | 'cancelled'): Promise<void> => {
    entry.cancel.abort();
    await entry.operator?.stop(how);
  };

  return {
    async reconcile(specs) {
      if (!open) return;
      const wanted = new Map(specs.map((spec) => [`${spec.link}/${spec.ip}`, spec]));
      for (const [key, entry] of entries) {
        const spec = wanted.get(key);
        if (spec !== undefined && same(spec, entry.spec)) continue;
        entries.delete(key);
        if (spec !== undefined) machine.log(`replacing operator {"operator": "vip", "link": "${entry.spec.link}"}`);
        await end(entry, 'cancelled');
      }
      for (const [key, spec] of wanted) {
        if (entries.has(key)) continue;
        const entry: Entry = { spec, cancel: new AbortController() };
        entries.set(key, entry);
        void begin(entry);
      }
      machine.changed();
    },
    letGo() {
      for (const { operator } of entries.values()) operator?.letGo();
    },
    async stop() {
      open = false;
      const all = [...entries.values()];
      entries.clear();
      await Promise.all(all.map((entry) => end(entry, 'graceful')));
    },
    kill() {
      open = false;
      for (const entry of entries.values()) {
        entry.cancel.abort();
        entry.operator?.kill();
      }
      entries.clear();
    },
    operators: () => [...entries.values()].map((entry) => entry.spec),
    kept: () =>
      [...entries.values()].flatMap(({ spec, operator }) =>
        operator?.lease === undefined
          ? []
          : [{ link: spec.link, ip: spec.ip, lease: operator.lease, leading: operator.leading }],
      ),
  };
}

const same = (a: VipOperatorSpec, b: VipOperatorSpec): boolean => a.kind === b.kind && a.apiToken === b.apiToken;

/** etcd runs and is healthy, and the kubelet is there and not on its way down. The API server does not matter. */
function untilReady(machine: Machine, open: () => boolean, signal: AbortSignal): Promise<void> {
  const holds = (): boolean => {
    const etcd = machine.services.get('etcd');
    const kubelet = machine.services.get('kubelet');
    return open() && etcd?.state === 'Running' && etcd.healthy === true && kubelet?.state === 'Running';
  };
  return new Promise((resolve, reject) => {
    const end = (): void => {
      off();
      signal.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      end();
      reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    };
    const look = (): void => {
      if (!holds()) return;
      end();
      resolve();
    };
    const off = machine.onChange(look);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    else look();
  });
}
