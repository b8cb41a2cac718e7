import path from 'node:path';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import type { Machine } from '../../machine.ts';
import { ListRequest_Type, type MachineService } from '../generated/machine/machine_pb.ts';
import { filesOf, under, type NodeFile } from './tree.ts';
import { tarGz } from './tar.ts';

type Calls = Pick<ServiceImpl<typeof MachineService>, 'copy' | 'diskUsage' | 'list' | 'read'>;

const CHUNK = 32 * 1024;
/** Go's mode of a directory. */
const DIRECTORY = 2 ** 31;

/** Files of the node, as far as it has them. */
export function fileCalls(machine: Machine): Calls {
  const missing = (what: string, file: string): string => `${what} ${file}: no such file or directory`;
  return {
    async *read({ path: asked }) {
      const file = (await filesOf(machine)).get(path.normalize(asked));
      if (file === undefined) {
        // The newest releases say NOT_FOUND; clients of all of them take this one.
        throw new ConnectError(missing('open', asked), Code.Unknown);
      }
      if (file.kind !== 'file') throw new ConnectError('path must be a regular file', Code.Unknown);
      yield* chunksOf(await file.read());
    },
    async *copy({ rootPath }) {
      const root = path.normalize(rootPath);
      if (!path.isAbsolute(root)) throw new ConnectError(`path is not absolute ${root}`, Code.Unknown);
      const files = await filesOf(machine);
      const found = under(files, root, Number.POSITIVE_INFINITY);
      if (found.length === 0) {
        yield { metadata: { error: missing('lstat', root) } };
        return;
      }
      const entries = await Promise.all(
        found.map(async ([name, file]) => ({
          name: relative(root, name),
          directory: file.kind === 'directory',
          modified: file.modified,
          mode: file.mode,
          content: await file.read(),
        })),
      );
      yield* chunksOf(tarGz(entries));
    },
    async *list({ root: asked, recurse, recursionDepth, types }) {
      const root = path.join('/', asked).replace(/(.)\/$/, '$1');
      const files = await filesOf(machine);
      if (!files.has(root)) {
        yield { name: root, relativeName: '.', error: missing('lstat', root) };
        return;
      }
      const depth = recurse ? (recursionDepth === 0 ? Number.POSITIVE_INFINITY : recursionDepth) : 1;
      for (const [name, file] of under(files, root, depth)) {
        const type = file.kind === 'directory' ? ListRequest_Type.DIRECTORY : ListRequest_Type.REGULAR;
        if (types.length > 0 && !types.includes(type)) continue;
        yield {
          name,
          relativeName: relative(root, name),
          size: BigInt(file.size),
          mode: file.mode + (file.kind === 'directory' ? DIRECTORY : 0),
          modified: BigInt(Math.floor(file.modified.getTime() / 1000)),
          isDir: file.kind === 'directory',
        };
      }
    },
    async *diskUsage({ paths, recursionDepth, all, threshold }) {
      const files = await filesOf(machine);
      for (const asked of paths.length === 0 ? ['/'] : paths) {
        const root = path.join('/', asked).replace(/(.)\/$/, '$1');
        if (!files.has(root)) {
          yield { name: root, relativeName: '.', error: missing('lstat', root) };
          continue;
        }
        const depth = recursionDepth === 0 ? 0 : recursionDepth;
        // Folders come after what lies in them.
        for (const [name, file] of under(files, root, depth).toReversed()) {
          if (file.kind === 'file' && !all && name !== root) continue;
          const size = sizeOf(files, name);
          if (threshold > 0n ? BigInt(size) < threshold : threshold < 0n && BigInt(size) > -threshold) continue;
          yield { name, relativeName: relative(root, name), size: BigInt(size) };
        }
      }
    },
  };
}

const relative = (root: string, name: string): string => (name === root ? '.' : path.relative(root, name));

const sizeOf = (files: ReadonlyMap<string, NodeFile>, root: string): number =>
  under(files, root, Number.POSITIVE_INFINITY).reduce((sum, [, file]) => sum + file.size, 0);

function* chunksOf(bytes: Uint8Array): Iterable<{ bytes: Uint8Array }> {
  for (let at = 0; at < bytes.length; at += CHUNK) yield { bytes: Uint8Array.from(bytes.subarray(at, at + CHUNK)) };
}
