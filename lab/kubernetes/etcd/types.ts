/** The lab's own etcd client: what a Talos node, its VIP operator and the built-in API server need of etcd v3. */

export interface EtcdMemberInfo {
  readonly id: bigint;
  /** Empty until the member has started. */
  readonly name: string;
  readonly peerURLs: readonly string[];
  readonly clientURLs: readonly string[];
  readonly isLearner: boolean;
}

export interface EtcdStatusInfo {
  readonly version: string;
  readonly dbSize: bigint;
  readonly dbSizeInUse: bigint;
  readonly memberId: bigint;
  /** 0n = no leader known. */
  readonly leader: bigint;
  readonly raftIndex: bigint;
  readonly raftTerm: bigint;
  readonly raftAppliedIndex: bigint;
  readonly isLearner: boolean;
  readonly errors: readonly string[];
}

export interface EtcdKeyValue {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: bigint;
  readonly modRevision: bigint;
  readonly version: bigint;
  readonly lease: bigint;
}

export interface EtcdWatchEvent {
  readonly type: 'put' | 'delete';
  /** Of a deleted key only the name and `modRevision` are set. */
  readonly kv: EtcdKeyValue;
  /** What the key held before, when the watch asked for it with `previous` and it is not compacted. */
  readonly previous?: EtcdKeyValue;
}

export interface EtcdTxn {
  /** All must hold. `createRevision: 0n` = the key is absent. */
  readonly compare: readonly {
    readonly key: string;
    readonly createRevision?: bigint;
    readonly modRevision?: bigint;
  }[];
  readonly success: readonly EtcdOp[];
  readonly failure: readonly EtcdOp[];
}

export type EtcdOp =
  | { readonly kind: 'put'; readonly key: string; readonly value: Uint8Array | string; readonly lease?: bigint }
  | { readonly kind: 'delete'; readonly key: string; readonly rangeEnd?: string }
  | { readonly kind: 'get'; readonly key: string; readonly rangeEnd?: string };

export interface RangeOptions {
  /** All keys with this prefix. */
  readonly prefix?: boolean;
  readonly revision?: bigint;
  readonly limit?: number;
  readonly serializable?: boolean;
  readonly sort?: 'create-ascending' | 'key-ascending';
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  /** Continue after this key (exclusive), inside the prefix. */
  readonly after?: string;
  /** Only keys created at this revision or before. */
  readonly maxCreateRevision?: bigint;
}

export interface EtcdClient {
  range(
    key: string,
    options?: RangeOptions,
    signal?: AbortSignal,
  ): Promise<{ kvs: EtcdKeyValue[]; revision: bigint; more: boolean; count: bigint }>;
  put(key: string, value: Uint8Array | string, options?: { lease?: bigint }): Promise<{ revision: bigint }>;
  delete(key: string, options?: { prefix?: boolean }): Promise<{ deleted: bigint; revision: bigint }>;
  txn(txn: EtcdTxn): Promise<{ succeeded: boolean; revision: bigint; gets: EtcdKeyValue[][] }>;
  /**
   * Ends (throws) when the connection, the member or its view of the leader is lost; the caller resumes at revision + 1.
   * "required revision has been compacted" (code OutOfRange): the caller must list anew. Aborted: throws the signal's reason.
   */
  watch(
    key: string,
    options: { prefix?: boolean; fromRevision?: bigint; previous?: boolean },
    signal: AbortSignal,
  ): AsyncIterable<{ events: EtcdWatchEvent[]; revision: bigint }>;
  leaseGrant(ttlSeconds: number): Promise<{ id: bigint; ttlSeconds: number }>;
  /** Yields the remaining TTL after each keep-alive; 0 = the lease is gone. */
  leaseKeepAlive(id: bigint, everyMs: number, signal: AbortSignal): AsyncIterable<number>;
  leaseRevoke(id: bigint): Promise<void>;
  members(options?: { linearizable?: boolean }): Promise<EtcdMemberInfo[]>;
  memberAdd(
    peerURLs: readonly string[],
    learner: boolean,
  ): Promise<{ member: EtcdMemberInfo; members: EtcdMemberInfo[] }>;
  memberPromote(id: bigint): Promise<void>;
  memberRemove(id: bigint): Promise<void>;
  memberUpdate(id: bigint, peerURLs: readonly string[]): Promise<void>;
  /** Forgets history before a revision. */
  compact(revision: bigint): Promise<void>;
  status(): Promise<EtcdStatusInfo>;
  moveLeader(target: bigint): Promise<void>;
  setAlarm(memberId: bigint, alarm: 'NOSPACE' | 'CORRUPT', state: 'raised' | 'cleared'): Promise<void>;
  alarms(): Promise<{ memberId: bigint; alarm: 'NOSPACE' | 'CORRUPT' }[]>;
  /** Ends all alarms; answers which they were. */
  disarm(): Promise<{ memberId: bigint; alarm: 'NOSPACE' | 'CORRUPT' }[]>;
  /** Of this member alone, which answers nothing else meanwhile. */
  defragment(): Promise<void>;
  /** The database file's bytes with the sha256 trailer, as etcd sends them. */
  snapshot(signal?: AbortSignal): AsyncIterable<Uint8Array>;
  close(): void;
}

export interface EtcdClientOptions {
  /** https://hidden:2379 */
  readonly endpoint: string;
  /** PEM texts. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  /** Name or address the server's certificate must be valid for; default: the endpoint's host. */
  readonly serverName?: string;
  /** Address its connections are sent from: the hidden one of the machine whose client it is. */
  readonly localAddress?: string;
  /** Deadline of each unary call, milliseconds (default 5000). */
  readonly timeoutMs?: number;
}
