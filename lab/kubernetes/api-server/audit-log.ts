import { open } from 'node:fs/promises';
import { watch } from 'node:fs';
import type { Clock } from '../../../src/base/clock.ts';
import { attribute, type Audit, type NewRecord } from '../../world/audit.ts';
import { isRecord, recordAt, stringAt } from './objects/types.ts';
import { isWrite } from './audit-rules.ts';

/** Metadata of every request, never a body; the end (or, for watches and refused credentials, the begin) of each. */
export const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules:
  - level: Metadata
`;

const httpVerbs: Readonly<Record<string, string>> = {
  create: 'POST',
  update: 'PUT',
  patch: 'PATCH',
  delete: 'DELETE',
  deletecollection: 'DELETE',
  get: 'GET',
  list: 'GET',
  watch: 'GET',
};

/** The audit's verb as an HTTP one: for resources it is Kubernetes' word, for other paths HTTP's in small letters. */
export const httpVerb = (verb: string): string => httpVerbs[verb] ?? verb.toUpperCase();

/**
 * Reads one line of the audit log as a record of the lab. A watch and a refused credential are told when they begin, and
 * not again when they end: `begun` remembers which.
 */
export function readAuditLine(line: string, node: string, begun: Set<string>): NewRecord | undefined {
  let event: unknown;
  try {
    event = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(event)) return undefined;
  const stage = stringAt(event, 'stage');
  const id = stringAt(event, 'auditID') ?? '';
  if (stage === 'RequestReceived') return undefined;
  if (begun.delete(id)) return undefined;
  if (stage === 'ResponseStarted') begun.add(id);
  const status = recordAt(event, 'responseStatus')?.['code'];
  const code = typeof status === 'number' ? status : 500;
  // A refused credential has no end; what never ends must not be remembered.
  if (code === 401) begun.delete(id);
  const received = stringAt(event, 'requestReceivedTimestamp');
  const told = stringAt(event, 'stageTimestamp');
  const path = stringAt(event, 'requestURI') ?? '';
  const method = httpVerb(stringAt(event, 'verb') ?? '');
  return {
    ...(received === undefined ? {} : { at: new Date(received).toISOString() }),
    system: 'kubernetes',
    method,
    path,
    status: code,
    ms: received === undefined || told === undefined ? 0 : Math.max(0, Date.parse(told) - Date.parse(received)),
    write: isWrite(method, path, code),
    by: attribute(stringAt(event, 'userAgent'), node),
    node,
  };
}

export interface AuditTail {
  /** Reads what is there and ends. */
  close(): Promise<void>;
}

const LOOK_MS = 50;

/** Follows a growing audit log from `from` (bytes) on; each record is in the audit within some 50 ms of being written. */
export function followAuditLog(
  file: string,
  from: number,
  node: string,
  ports: { readonly clock: Clock; readonly audit: Audit },
): AuditTail {
  const begun = new Set<string>();
  let offset = from;
  let rest = '';
  let reading: Promise<void> = Promise.resolve();
  const over = new AbortController();

  const read = async (): Promise<void> => {
    const handle = await open(file, 'r').catch(() => undefined);
    if (handle === undefined) return;
    try {
      const { size } = await handle.stat();
      // The log was turned over: the file is a new one.
      if (size < offset) {
        offset = 0;
        rest = '';
      }
      while (offset < size) {
        const buffer = Buffer.alloc(Math.min(size - offset, 1 << 20));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        if (bytesRead === 0) return;
        // Whole lines only: what follows the last newline is read again with the next look.
        const end = buffer.subarray(0, bytesRead).lastIndexOf(0x0a);
        if (end < 0) {
          rest += buffer.subarray(0, bytesRead).toString('latin1');
          offset += bytesRead;
          continue;
        }
        const text = Buffer.concat([Buffer.from(rest, 'latin1'), buffer.subarray(0, end)]).toString();
        rest = '';
        offset += end + 1;
        for (const line of text.split('\n')) {
          const record = line === '' ? undefined : readAuditLine(line, node, begun);
          if (record !== undefined) ports.audit.record(record);
        }
      }
    } finally {
      await handle.close();
    }
  };
  const look = (): Promise<void> => (reading = reading.then(read).catch(() => {}));
  const forget = ports.audit.source(look);
  const notices = watcher(file, () => void look());
  const loop = async (): Promise<void> => {
    while (!over.signal.aborted) {
      await look();
      await ports.clock.sleep(LOOK_MS, over.signal).catch(() => {});
    }
  };
  const looping = loop();
  return {
    async close() {
      over.abort();
      notices.close();
      await looping;
      await look();
      forget();
    },
  };
}

/** The kernel's notice of a change, where there is one; the looks in between make up for a lost one. */
function watcher(file: string, changed: () => void): { close(): void } {
  try {
    const found = watch(file, changed);
    found.on('error', () => found.close());
    return found;
  } catch {
    return { close: () => {} };
  }
}
