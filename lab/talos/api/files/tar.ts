import { gzipSync } from 'node:zlib';

const BLOCK = 512;

export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
  readonly modified: Date;
  readonly mode?: number;
  readonly directory?: boolean;
}

/** A gzip-compressed tar (ustar) of these files. */
export function tarGz(entries: readonly TarEntry[]): Uint8Array {
  return gzipSync(Buffer.concat([...entries.flatMap(blocksOf), Buffer.alloc(2 * BLOCK)]));
}

function blocksOf({ name, content, modified, mode = 0o600, directory = false }: TarEntry): Buffer[] {
  const body = directory ? Buffer.alloc(0) : Buffer.from(content);
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(directory ? `${name}/` : name, 0, 100, 'utf8');
  header.write(octal(mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(body.length, 11), 124);
  header.write(octal(Math.floor(modified.getTime() / 1000), 11), 136);
  header.write(' '.repeat(8), 148);
  header.write(directory ? '5' : '0', 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, body, Buffer.alloc((BLOCK - (body.length % BLOCK)) % BLOCK)];
}
