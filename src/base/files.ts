import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';

const TEMPORARY = /^\..+\.fairlead-(\d+)-[0-9a-f]{8}$/;

/**
 * Writes a file so that a reader, or a crash at any moment, sees the old content or the new, never half of it:
 * a temporary file in the same folder, synced, renamed over the old one, the folder synced. What an earlier process left in
 * that folder when it was killed in between is taken away: it may hold a secret, and nobody will name it again.
 */
export async function writeAtomic(
  file: string,
  content: string | Uint8Array | AsyncIterable<Uint8Array>,
  mode = 0o644,
): Promise<void> {
  const suffix = `fairlead-${process.pid}-${randomBytes(4).toString('hex')}`;
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${suffix}`);
  await clearLeftovers(path.dirname(file));
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.chmod(mode);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(path.dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function clearLeftovers(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  const left = names.filter((name) => {
    const [, pid] = TEMPORARY.exec(name) ?? [];
    return pid !== undefined && Number(pid) !== process.pid && isGone(Number(pid));
  });
  await Promise.all(left.map((name) => rm(path.join(folder, name), { force: true })));
}

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    // EPERM: somebody else's, and alive.
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}
