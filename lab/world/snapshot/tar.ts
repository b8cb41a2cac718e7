/** A file of an archive: a path with forward slashes, relative to its root. */
export interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

const BLOCK = 512;
const NAME = 100;
const PREFIX = 155;

/** Writes a POSIX (ustar) archive of plain files. Throws a RangeError for a path that the form does not hold. */
export function packTar(entries: readonly Entry[], at: Date): Buffer {
  const blocks: Buffer[] = [];
  for (const { name, mode, content } of entries) {
    blocks.push(headerOf(name, mode, content.byteLength, at), Buffer.from(content));
    const rest = content.byteLength % BLOCK;
    if (rest > 0) blocks.push(Buffer.alloc(BLOCK - rest));
  }
  blocks.push(Buffer.alloc(2 * BLOCK));
  return Buffer.concat(blocks);
}

/** Reads an archive that `packTar` or tar(1) wrote. Throws an Error that says what is wrong with it. */
export function unpackTar(archive: Buffer): Entry[] {
  const entries: Entry[] = [];
  for (let at = 0; ;) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.length < BLOCK) throw new Error('the archive ends early');
    if (header.every((byte) => byte === 0)) return entries;
    if (checksumOf(header) !== numberAt(header, 148, 8)) throw new Error('a header of the archive is damaged');
    const [name, prefix] = [textAt(header, 0, NAME), textAt(header, 345, PREFIX)];
    const size = numberAt(header, 124, 12);
    const content = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (content.length < size) throw new Error('the archive ends early');
    const kind = textAt(header, 156, 1);
    if (kind === '0' || kind === '')
      entries.push({ name: prefix === '' ? name : `${prefix}/${name}`, mode: numberAt(header, 100, 8), content });
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function headerOf(path: string, mode: number, size: number, at: Date): Buffer {
  const header = Buffer.alloc(BLOCK);
  const [prefix, name] = split(path);
  const octal = (value: number, digits: number): string => `${value.toString(8).padStart(digits, '0')}\0`;
  header.write(name, 0, 'utf8');
  header.write(octal(mode & 0o777, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(size, 11), 124);
  header.write(octal(Math.floor(at.getTime() / 1000), 11), 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257, 'latin1');
  header.write(prefix, 345, 'utf8');
  header.write(`${checksumOf(header).toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** The form has 100 bytes for a name and 155 for the folders before it. */
function split(path: string): readonly [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= NAME) return ['', path];
  for (let cut = path.indexOf('/'); cut > 0; cut = path.indexOf('/', cut + 1)) {
    const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)];
    if (Buffer.byteLength(prefix) <= PREFIX && Buffer.byteLength(name) <= NAME) return [prefix, name];
  }
  throw new RangeError(`${path} is too long for an archive`);
}

/** Of all bytes, those of the checksum itself counted as spaces. */
function checksumOf(header: Buffer): number {
  let sum = 0;
  for (const [n, byte] of header.entries()) sum += n >= 148 && n < 156 ? 32 : byte;
  return sum;
}

const textAt = (header: Buffer, from: number, length: number): string =>
  header.toString('utf8', from, from + length).split('\0')[0] ?? '';
const numberAt = (header: Buffer, from: number, length: number): number =>
  Number.parseInt(textAt(header, from, length).trim() || '0', 8);
