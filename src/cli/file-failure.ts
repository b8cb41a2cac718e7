import { Failure } from '../base/failure.ts';

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission is denied',
  EPERM: 'the operation is not permitted',
  EROFS: 'the file system is read-only',
  ENOENT: 'the file or its folder does not exist',
  ENOTDIR: 'a part of the path is no folder',
  EISDIR: 'it is a folder',
  ENOSPC: 'the disk is full',
  ENAMETOOLONG: 'the name is too long',
};

/** An error of the operating system about a file as a Failure; undefined for every other error. */
export function fileFailure(error: unknown, state: string): Failure | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  const why = REASONS[error.code];
  const given = [('dest' in error && error.dest) || ('path' in error && error.path)].find((p) => typeof p === 'string');
  // Reading a folder is refused without its name; without a name, no other error is surely about a file.
  if (why === undefined || (given === undefined && error.code !== 'EISDIR')) return undefined;
  // A file is replaced by renaming: the name that the user knows is the destination.
  const file = given ?? 'A file that was named';
  return new Failure({
    code: 'file',
    what: `${file} cannot be used`,
    why: `${why} (${error.message})`,
    state,
    next: 'Check the path and its permissions, or name another file.',
    cause: error,
  });
}
