import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

/** One call that a real talosctl made, and what the recorder's stand-in said to it. */
export interface RecordedCall {
  /** Address that received it. */
  readonly endpoint: string;
  readonly authority?: string;
  /** `/package.Service/Method`; absent when the handshake failed. */
  readonly method?: string;
  readonly kind?: 'unary' | 'server_streaming';
  /** Headers that are not transport: `node`, `nodes`, `runtime`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** `grpc-timeout` as it was sent. */
  readonly deadline?: string | null;
  readonly client_roles?: readonly string[] | null;
  readonly request?: Readonly<Record<string, unknown>> | null;
  readonly request_base64?: readonly (string | { readonly blob: string })[];
  readonly answers?: readonly Readonly<Record<string, unknown>>[];
  readonly answer_count?: number;
  readonly status?: { readonly code: number; readonly message?: string } | string;
  /** How the stream was reset: 0 not, 8 the client cancelled, 2 the client process went away. */
  readonly rst_code?: number | null;
  readonly tls_refused?: string;
  /** Codes that other clients were recorded to get for the same reading of the same world. */
  readonly alsoRecorded?: readonly number[];
}

/** One command of talosctl. */
export interface RecordedCommand {
  readonly id: string;
  /** `1.13` */
  readonly client: string;
  readonly kind: string;
  readonly argv: readonly string[];
  readonly talosconfig: string;
  readonly exit: number;
  readonly world?: string;
  readonly calls: readonly RecordedCall[];
}

export interface Recordings {
  readonly commands: readonly RecordedCommand[];
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** Commands and the long requests they refer to, from every `*.jsonl` below a folder, told by the form of their lines. */
export function readTalosctl(folder: string): Recordings {
  const commands: RecordedCommand[] = [];
  const blobs = new Map<string, Uint8Array>();
  for (const file of jsonLinesBelow(folder)) {
    for (const value of linesOf(file)) {
      if (isCommand(value)) commands.push(value);
      else if (isBlob(value)) blobs.set(value.blob, Buffer.from(value.base64, 'base64'));
    }
  }
  return { commands: withContradictions(commands), blobs };
}

/**
 * The world of talosctl 1.11 is that of 1.12, but was furnished at another time: where the two were told different things
 * about one resource, the recordings contradict each other, and each of the statuses counts as recorded.
 */
function withContradictions(commands: readonly RecordedCommand[]): RecordedCommand[] {
  const WORLDS: Readonly<Record<string, string>> = { '1.11': '1.12' };
  const keyOf = (command: RecordedCommand, call: RecordedCall): string | undefined =>
    call.method !== '/cosi.resource.State/Get' || command.world !== undefined
      ? undefined
      : JSON.stringify([
          WORLDS[command.client] ?? command.client,
          command.talosconfig,
          call.endpoint,
          call.metadata,
          call.client_roles,
          call.request_base64,
        ]);
  const codes = new Map<string, Map<string, number>>();
  for (const command of commands) {
    for (const call of command.calls) {
      const key = keyOf(command, call);
      const code = statusOf(call);
      if (key === undefined || Number.isNaN(code)) continue;
      codes.set(key, (codes.get(key) ?? new Map<string, number>()).set(command.client, code));
    }
  }
  return commands.map((command) => ({
    ...command,
    calls: command.calls.map((call) => {
      const others = [...(codes.get(keyOf(command, call) ?? '') ?? [])].filter(([client]) => client !== command.client);
      const also = others.map(([, code]) => code).filter((code) => code !== statusOf(call));
      return also.length === 0 ? call : { ...call, alsoRecorded: also };
    }),
  }));
}

/** The bytes of a call's request messages. Throws where one is kept in a file that is not there. */
export const requestsOf = (call: RecordedCall, blobs: Recordings['blobs']): Uint8Array[] =>
  (call.request_base64 ?? []).map((entry) => {
    if (typeof entry === 'string') return Buffer.from(entry, 'base64');
    const found = blobs.get(entry.blob);
    if (found === undefined) throw new Error(`the request ${entry.blob} is not in the folder`);
    return found;
  });

/** Whether the bytes of its requests are there. */
export const kept = (call: RecordedCall, blobs: Recordings['blobs']): boolean =>
  (call.request_base64 ?? []).every((entry) => typeof entry === 'string' || blobs.has(entry.blob));

export const statusOf = (call: RecordedCall): number =>
  typeof call.status === 'object' ? call.status.code : Number.NaN;

/** The client ended it. */
export const wasLeft = (call: RecordedCall): boolean => call.rst_code === 8 || call.rst_code === 2;

export function jsonLinesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  if (statSync(folder).isFile()) return folder.endsWith('.jsonl') ? [folder] : [];
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const name = path.join(folder, entry.name);
      return entry.isDirectory() ? jsonLinesBelow(name) : name.endsWith('.jsonl') ? [name] : [];
    })
    .toSorted();
}

function linesOf(file: string): unknown[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line): unknown => JSON.parse(line));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

/** Tables of broken answers have the same lines with `broken` in them; they are no commands to send again. */
export const isCommand = (value: unknown): value is RecordedCommand =>
  isObject(value) &&
  Array.isArray(value['argv']) &&
  Array.isArray(value['calls']) &&
  typeof value['talosconfig'] === 'string' &&
  typeof value['client'] === 'string' &&
  !('broken' in value);

const isBlob = (value: unknown): value is { blob: string; base64: string } =>
  isObject(value) && typeof value['blob'] === 'string' && typeof value['base64'] === 'string';
