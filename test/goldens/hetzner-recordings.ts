import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One request that a real client sent, and what the recorder's stand-in said to it. */
export interface RecordedRequest {
  readonly n: number;
  readonly ms: number;
  readonly method: string;
  readonly path: string;
  /** Raw, order kept. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** A number, or words where no answer was given. */
  readonly status: number | string;
  /** Large ones are shortened to their size and `meta`. */
  readonly answer?: Json;
}

export type Json = Readonly<Record<string, unknown>> | null;

/** A fault the stand-in was told to have: the first `times` requests that match get it. */
export interface RecordedFault {
  readonly method?: string;
  readonly path: string;
  readonly status: number;
  readonly code: string;
  readonly times: number;
  readonly hang?: boolean;
  readonly raw?: string;
}

/** One command of one client. */
export interface Recording {
  readonly file: string;
  readonly id: string;
  readonly kind: string;
  readonly client: string;
  readonly version: string;
  readonly command: string | readonly string[];
  readonly given: {
    readonly polls?: number;
    readonly action_error?: string;
    readonly faults?: readonly RecordedFault[];
    readonly extra_servers?: number;
    readonly extra_fips?: number;
    readonly era?: string;
  };
  readonly requests: readonly RecordedRequest[];
}

/** The folder with recordings: the one named, or its `hetzner/` when a goldens root is named. Undefined when neither has any. */
export function recordingFolder(directory: string): string | undefined {
  for (const folder of [directory, path.join(directory, 'hetzner')]) if (filesOf(folder).length > 0) return folder;
  return undefined;
}

/** All recordings of a folder; lines of another form (such as tables of broken answers) are passed over. */
export function readRecordings(folder: string): Recording[] {
  return filesOf(folder).flatMap((file) => linesOf(path.join(folder, file)).filter(isRecording).map((value) => ({ ...value, file })));
}

const filesOf = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith('.jsonl') && linesOf(path.join(folder, name), 1).some(isRecording))
        .toSorted()
    : [];

function linesOf(file: string, most?: number): unknown[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.slice(0, most).map((line): unknown => JSON.parse(line));
}

const isRecording = (value: unknown): value is Omit<Recording, 'file'> =>
  typeof value === 'object' &&
  value !== null &&
  'client' in value &&
  'given' in value &&
  'requests' in value &&
  Array.isArray(value.requests);
