import { appendFile } from 'node:fs/promises';

/** One request to one system of the world, as `fairlead lab requests` prints it (design §8). Never a token, never a body. */
export interface RequestRecord {
  /** Grows by one with each record; a mark for `--since`. */
  readonly seq: number;
  readonly at: string;
  readonly system: 'hetzner' | 'talos' | 'kubernetes' | 'dns' | 'github';
  /** HTTP verb, or the gRPC method's short name. */
  readonly method: string;
  /** Path with query; for gRPC the full method, with `type/id` for COSI calls. */
  readonly path: string;
  /** Whether it changed stored state (refused calls, dry runs, TokenRequest, access reviews, Kubeconfig, EtcdSnapshot do not). */
  readonly write: boolean;
  /** HTTP status, or the gRPC code's number. */
  readonly status: number;
  readonly ms: number;
  /** `fairlead`, `node/<name>`, `lab`, else the client's User-Agent. */
  readonly by: string;
  /** The node that answered (Talos and Kubernetes). */
  readonly node?: string;
}

export type NewRecord = Omit<RequestRecord, 'seq' | 'at'> & { readonly at?: string };

export interface Audit {
  record(entry: NewRecord): void;
  /** Records after a mark: a sequence number, or an RFC 3339 time. Without one, all. */
  since(mark?: string): readonly RequestRecord[];
  readonly mark: number;
}

/** Kept in memory and appended to a file of JSON lines, so that the record outlives the lab's process. */
export function createAudit(file: string | undefined, wall: () => Date): Audit {
  const records: RequestRecord[] = [];
  let queue: Promise<void> = Promise.resolve();
  return {
    record(entry) {
      const full: RequestRecord = { seq: records.length + 1, ...entry, at: entry.at ?? wall().toISOString() };
      records.push(full);
      // A full disk must not take the lab down; the records in memory stay the oracle.
      if (file !== undefined) queue = queue.then(() => appendFile(file, `${JSON.stringify(full)}\n`)).catch(() => {});
    },
    since(mark) {
      if (mark === undefined) return records;
      if (/^\d+$/.test(mark)) return records.filter((r) => r.seq > Number(mark));
      const time = Date.parse(mark);
      return records.filter((r) => Date.parse(r.at) >= time);
    },
    get mark() {
      return records.length;
    },
  };
}

/**
 * Who sent a request. Nodes and the lab name themselves in their User-Agent (`… node/<name>`, `… lab/…`); an API server's
 * own loopback client (`kube-apiserver/…`) is its node.
 */
export function attribute(userAgent: string | undefined, node?: string): string {
  const agent = userAgent ?? '';
  const named = /\bnode\/([a-z0-9.-]+)/.exec(agent);
  if (named?.[1] !== undefined) return `node/${named[1]}`;
  if (/\bfairlead-lab\//.test(agent)) return 'lab';
  if (/\bfairlead\//.test(agent)) return 'fairlead';
  if (node !== undefined && agent.startsWith('kube-apiserver/')) return `node/${node}`;
  return agent === '' ? 'unknown' : agent;
}
