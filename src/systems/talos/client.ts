import { durationFromMs, timestampDate } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { textOf } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import type { Metadata } from '../../generated/common/common_pb.ts';
import { State } from '../../generated/cosi/state_pb.ts';
import {
  ApplyConfigurationRequest_Mode,
  EtcdMemberAlarm_AlarmType,
  MachineService,
} from '../../generated/machine/machine_pb.ts';
import { TimeService } from '../../generated/time/time_pb.ts';
import { fileFromTarGz } from './archive.ts';
import { connectTalos, type TalosConnectionOptions } from './connection.ts';
import { classOfGrpcCode, TalosError, toTalosError } from './errors.ts';
import { toMachineConfig, toResource } from './resources.ts';
import type { ApplyMode, EtcdMember, EtcdMemberStatus, TalosClient, TalosResource, TalosService } from './types.ts';

const MODES: Readonly<Record<ApplyMode, ApplyConfigurationRequest_Mode>> = {
  'no-reboot': ApplyConfigurationRequest_Mode.NO_REBOOT,
  staged: ApplyConfigurationRequest_Mode.STAGED,
  try: ApplyConfigurationRequest_Mode.TRY,
  auto: ApplyConfigurationRequest_Mode.AUTO,
};

const MACHINE_CONFIG = { namespace: 'config', type: 'MachineConfigs.config.talos.dev' } as const;
const CONFIG_IDS = { active: 'v1alpha1', persistent: 'persistent' } as const;
const DEFAULT_TIMEOUT_MS = 10_000;

interface CallOptions {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * The Talos API of one node over gRPC with mutual TLS, dialled directly: no `node` metadata, so the node that is asked
 * is the one that answers. The connection is made at the first call. Everything that fails is a `TalosError`, except
 * the caller's own abort, which comes back as the signal's reason.
 */
export function createTalosClient(options: TalosConnectionOptions): TalosClient {
  const { address, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
  const connection = connectTalos(options);
  const machine = createClient(MachineService, connection.transport);
  const cosi = createClient(State, connection.transport);
  const time = createClient(TimeService, connection.transport);

  function fail(error: unknown, limit: number | undefined, signal: AbortSignal | undefined): never {
    if (signal?.aborted === true) throw signal.reason;
    const told = toTalosError(error, connection.facts(limit));
    if (told.code === 'timeout') connection.forgetUnfinished();
    throw told;
  }

  async function call<T>(signal: AbortSignal | undefined, send: (call: CallOptions) => Promise<T>): Promise<T> {
    try {
      return await send({ timeoutMs, ...(signal === undefined ? {} : { signal }) });
    } catch (error) {
      return fail(error, timeoutMs, signal);
    }
  }

  /** Unary calls of the machine service answer one message per node; we always ask one node. */
  async function one<M extends { metadata?: Metadata | undefined }>(
    signal: AbortSignal | undefined,
    send: (call: CallOptions) => Promise<{ messages: M[] }>,
  ): Promise<M> {
    const { messages } = await call(signal, send);
    for (const message of messages) refuseError(message.metadata);
    const [first] = messages;
    if (first === undefined) throw new TalosError('other', address, 'the node answered without a message');
    return first;
  }

  function refuseError(metadata: Metadata | undefined): void {
    const text = metadata?.error ?? '';
    const status = metadata?.status;
    if (text === '' && (status === undefined || status.code === 0)) return;
    throw new TalosError(
      status === undefined ? 'other' : classOfGrpcCode(status.code),
      address,
      text === '' ? (status?.message ?? '') : text,
    );
  }

  /** The bytes of a stream; a message that carries an error ends it with that error. */
  async function* bytes(
    signal: AbortSignal | undefined,
    limit: number | undefined,
    open: (call: CallOptions) => AsyncIterable<{ metadata?: Metadata | undefined; bytes: Uint8Array }>,
  ): AsyncGenerator<Uint8Array> {
    const call = { ...(limit === undefined ? {} : { timeoutMs: limit }), ...(signal === undefined ? {} : { signal }) };
    try {
      for await (const part of open(call)) {
        refuseError(part.metadata);
        if (part.bytes.length > 0) yield part.bytes;
      }
    } catch (error) {
      fail(error, limit, signal);
    }
  }

  /** What the node sent cannot be read: an error of this room too. */
  function understand<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw new TalosError('other', address, textOf(error), { cause: error });
    }
  }

  const absent = (error: unknown): boolean => error instanceof TalosError && error.code === 'not-found';

  const client: TalosClient = {
    address,

    async version(signal) {
      const { version, platform } = await one(signal, (c) => machine.version({}, c));
      if (version === undefined) throw new TalosError('other', address, 'the node did not say its version');
      return { tag: version.tag, platform: platform?.name ?? '' };
    },

    async clocks(signal) {
      const { server, localtime, remotetime } = await one(signal, (c) => time.time({}, c));
      if (localtime === undefined || remotetime === undefined)
        throw new TalosError('other', address, 'the node did not say the time');
      return { own: timestampDate(localtime), reference: timestampDate(remotetime), server };
    },

    async hostname(signal) {
      return (await one(signal, (c) => machine.hostname({}, c))).hostname;
    },

    async services(signal) {
      const { services } = await one(signal, (c) => machine.serviceList({}, c));
      return services.map((s): TalosService => ({
        id: s.id,
        state: s.state,
        healthy: s.health === undefined || s.health.unknown ? undefined : s.health.healthy,
      }));
    },

    async etcdMembers(signal) {
      // The list as this node's own member knows it: comparing the nodes' lists is how a split shows.
      const { members } = await one(signal, (c) => machine.etcdMemberList({ queryLocal: true }, c));
      return members.map((m): EtcdMember => ({
        id: m.id,
        hostname: m.hostname,
        peerUrls: m.peerUrls,
        clientUrls: m.clientUrls,
        isLearner: m.isLearner,
      }));
    },

    async etcdStatus(signal) {
      const { memberStatus: s } = await one(signal, (c) => machine.etcdStatus({}, c));
      if (s === undefined) throw new TalosError('other', address, 'the node sent no etcd status');
      const { memberId, leader, raftTerm, raftIndex, raftAppliedIndex, dbSize, isLearner, errors } = s;
      const status: EtcdMemberStatus = {
        memberId,
        leader,
        raftTerm,
        raftIndex,
        raftAppliedIndex,
        dbSize,
        isLearner,
        errors,
      };
      return status;
    },

    async etcdAlarms(signal) {
      const { memberAlarms } = await one(signal, (c) => machine.etcdAlarmList({}, c));
      return memberAlarms
        .filter((a) => a.alarm !== EtcdMemberAlarm_AlarmType.NONE)
        .map((a) => ({ memberId: a.memberId, alarm: ALARMS[a.alarm] ?? `alarm ${a.alarm}` }));
    },

    // No deadline: a snapshot takes as long as it takes; pings end a stream whose node died.
    etcdSnapshot: (signal) => bytes(signal, undefined, (c) => machine.etcdSnapshot({}, c)),

    async machineConfig(id, signal) {
      try {
        const { resource } = await call(signal, (c) => cosi.get({ ...MACHINE_CONFIG, id: CONFIG_IDS[id] }, c));
        return understand(() => toMachineConfig(resource));
      } catch (error) {
        if (absent(error)) return undefined;
        throw error;
      }
    },

    async applyConfiguration(text, mode, apply, signal) {
      const answer = await one(signal, (c) =>
        machine.applyConfiguration(
          {
            data: new TextEncoder().encode(text.reveal()),
            mode: MODES[mode],
            dryRun: apply?.dryRun ?? false,
            ...(apply?.tryTimeoutMs === undefined ? {} : { tryModeTimeout: durationFromMs(apply.tryTimeoutMs) }),
          },
          c,
        ),
      );
      return { warnings: answer.warnings, details: new Redacted(answer.modeDetails) };
    },

    async kubeconfig(signal) {
      const parts: Uint8Array[] = [];
      for await (const part of bytes(signal, timeoutMs, (c) => machine.kubeconfig({}, c))) parts.push(part);
      return understand(() => {
        const file = fileFromTarGz(Buffer.concat(parts), 'kubeconfig');
        return new Redacted(new TextDecoder('utf-8', { fatal: true }).decode(file));
      });
    },

    async generateClientConfiguration(roles, ttlMs, signal) {
      const answer = await one(signal, (c) =>
        machine.generateClientConfiguration({ roles: [...roles], crtTtl: durationFromMs(ttlMs) }, c),
      );
      const decode = (value: Uint8Array): string => new TextDecoder('utf-8', { fatal: true }).decode(value);
      return understand(() => ({
        ca: decode(answer.ca),
        crt: decode(answer.crt),
        key: new Redacted(decode(answer.key)),
        talosconfig: new Redacted(decode(answer.talosconfig)),
      }));
    },

    async get(namespace, type, id, signal) {
      try {
        const { resource } = await call(signal, (c) => cosi.get({ namespace, type, id }, c));
        return understand(() => toResource(resource));
      } catch (error) {
        if (absent(error)) return undefined;
        throw error;
      }
    },

    async list(namespace, type, signal) {
      return await call(signal, async (c) => {
        const found: TalosResource[] = [];
        for await (const { resource } of cosi.list({ namespace, type }, c)) {
          found.push(understand(() => toResource(resource)));
        }
        return found;
      });
    },

    async bootTime(signal) {
      const { bootTime } = await one(signal, (c) => machine.systemStat({}, c));
      return new Date(Number(bootTime) * 1000);
    },

    close: () => connection.close(),
  };
  return client;
}

const ALARMS: Readonly<Record<number, string>> = {
  [EtcdMemberAlarm_AlarmType.NOSPACE]: 'NOSPACE',
  [EtcdMemberAlarm_AlarmType.CORRUPT]: 'CORRUPT',
};
