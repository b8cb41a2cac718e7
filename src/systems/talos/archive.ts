import { gunzipSync } from 'node:zlib';

const BLOCK = 512;
/** A kubeconfig is a few kilobytes; anything much larger is not one. */
const LARGEST = 4 * 1024 * 1024;

/**
 * Takes one file out of a gzip-compressed tar, as Talos packs a kubeconfig (POSIX ustar, regular files, short names).
 * Throws an Error that says what is wrong with the archive.
 */
export function fileFromTarGz(archive: Uint8Array, name: string): Uint8Array {
  let tar: Buffer;
  try {
    tar = gunzipSync(archive, { maxOutputLength: LARGEST });
  } catch (error) {
    throw new Error(`not a gzip stream: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  for (let offset = 0; offset + BLOCK <= tar.length;) {
    const header = tar.subarray(offset, offset + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    if (!checksumHolds(header)) throw new Error(`broken tar header at byte ${offset}`);
    const entry = cString(header, 0, 100);
    const size = octal(header, 124, 12);
    if (size === undefined) throw new Error(`tar entry ${JSON.stringify(entry)} has no valid size`);
    const start = offset + BLOCK;
    if (start + size > tar.length) throw new Error(`tar entry ${JSON.stringify(entry)} is cut short`);
    const type = header[156];
    const regular = type === 0 || type === 0x30;
    if (regular && entry.replace(/^\.?\//, '') === name) return tar.subarray(start, start + size);
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
  throw new Error(`the tar holds no file named ${name}`);
}

function cString(bytes: Buffer, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

function octal(bytes: Buffer, start: number, length: number): number | undefined {
  const text = cString(bytes, start, length).trim();
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : undefined;
}

/** The sum of all header bytes, the checksum field itself counted as spaces. */
function checksumHolds(header: Buffer): boolean {
  let sum = 0;
  for (const [i, byte] of header.entries()) sum += i >= 148 && i < 156 ? 0x20 : byte;
  return octal(header, 148, 8) === sum;
}
