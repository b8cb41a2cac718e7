import { createReadStream } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

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
  /**
   * Records after a mark: a sequence number, or an RFC 3339 time. Without one, all. Out of memory, so a RangeError where
   * some of them stand in the file only: `history` has those too.
   */
  since(mark?: string): readonly RequestRecord[];
  /** The same, out of memory and file. */
  history(mark?: string): Promise<readonly RequestRecord[]>;
  readonly mark: number;
  /** Is told of each record while it is made, which is before its reply leaves (but for real API servers). Gives the way out. */
  listen(listener: (record: RequestRecord) => void): () => void;
  /** A log of somebody else that records are read from: `look` reads what is there now. Gives the way out. */
  source(look: () => Promise<void>): () => void;
  /** Resolves when every such log was read to where it ended when this was asked. */
  caughtUp(): Promise<void>;
}

/** So many of the last requests at least are kept in memory, and at most twice as many. */
const KEPT = 2_000;

/**
 * Every record goes to a file of JSON lines, so that it outlives the lab's process and its memory does not grow; the last
 * ones stay in memory too. Without a file all of them do.
 */
export function createAudit(file: string | undefined, wall: () => Date, kept = KEPT): Audit {
  const records: RequestRecord[] = [];
  let [last, written, writing, cut] = [0, 0, false, false];
  const listeners = new Set<(record: RequestRecord) => void>();
  const sources = new Set<() => Promise<void>>();

  const write = async (to: string): Promise<void> => {
    while (written < last) {
      // In memory they stand in the order of their numbers, the last one last.
      const batch = records.slice(records.length - (last - written));
      const lines = batch.map((record) => `${JSON.stringify(record)}\n`).join('');
      try {
        // What a full disk cut off stands on a line of its own.
        await appendFile(to, cut ? `\n${lines}` : lines);
        written = batch.at(-1)?.seq ?? written;
        cut = false;
      } catch {
        // A full disk must not take the lab down: what is not written stays in memory until the next try.
        cut = true;
        return;
      }
      const settled = records.length - (last - written);
      if (records.length > 2 * kept) records.splice(0, Math.min(settled, records.length - kept));
    }
  };

  return {
    record(entry) {
      last += 1;
      const made = { seq: last, ...entry, at: entry.at ?? wall().toISOString() };
      records.push(made);
      for (const tell of listeners) tell(made);
      if (file === undefined || writing) return;
      writing = true;
      void write(file).finally(() => (writing = false));
    },
    since(mark) {
      const first = records[0];
      const asked = (record: RequestRecord): boolean => isAfter(record, mark);
      if (first !== undefined && first.seq > 1 && asked({ ...first, seq: first.seq - 1 }))
        throw new RangeError(`records before ${first.seq} stand in the file only`);
      return mark === undefined ? [...records] : records.filter(asked);
    },
    async history(mark) {
      const inMemory = [...records];
      const first = inMemory[0]?.seq ?? 1;
      const older: RequestRecord[] = [];
      const needed = mark === undefined || !/^\d+$/.test(mark) || Number(mark) < first - 1;
      if (file !== undefined && needed && first > 1)
        for await (const line of createInterface({ input: createReadStream(file) })) {
          const record = parsed(line);
          if (record === undefined || record.seq <= (older.at(-1)?.seq ?? 0)) continue;
          if (record.seq >= first) break;
          if (isAfter(record, mark)) older.push(record);
        }
      return [...older, ...inMemory.filter((record) => isAfter(record, mark))];
    },
    get mark() {
      return last;
    },
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    source(look) {
      sources.add(look);
      return () => void sources.delete(look);
    },
    async caughtUp() {
      await Promise.all([...sources].map((look) => look()));
    },
  };
}

function isAfter(record: RequestRecord, mark: string | undefined): boolean {
  if (mark === undefined) return true;
  return /^\d+$/.test(mark) ? record.seq > Number(mark) : Date.parse(record.at) >= Date.parse(mark);
}

function parsed(line: string): RequestRecord | undefined {
  try {
    return JSON.parse(line) as RequestRecord;
  } catch {
    // Cut off by a full disk, and written anew behind it.
    return undefined;
  }
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
