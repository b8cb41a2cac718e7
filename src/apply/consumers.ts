import { Failure, textOf } from '../base/failure.ts';
import { Redacted } from '../base/redacted.ts';
import { fetchKubeconfig } from '../consumers/kubeconfig/fetch.ts';
import { mergeKubeconfig } from '../consumers/kubeconfig/merge.ts';
import { setTalosconfigLists } from '../consumers/talosconfig/write.ts';
import { sha256 } from '../base/digest.ts';
import type { Action } from '../model/plan.ts';
import type { Run } from './run.ts';

/** Writes one kubeconfig file. What is written was proven first: it names the endpoint, carries the cluster's CA, and works. */
export async function writeKubeconfig(
  run: Run,
  action: Extract<Action, { kind: 'kubeconfig' }>,
  node: string,
): Promise<readonly string[]> {
  const { url: wantedUrl } = action;
  run.kubeconfig ??= await fetchKubeconfig(run.systems, node, wantedUrl, run.signal);
  const { files } = run.systems;
  const text = await guarded(action.file, async () => {
    const existing = await files.read(action.file);
    const merged = mergeKubeconfig(existing, (run.kubeconfig ?? new Redacted('')).reveal(), action.context);
    await files.write(action.file, merged, 0o600);
    return files.read(action.file);
  });
  return [
    `${action.file} is ${sha256(text ?? '').slice(0, 12)}, fetched from ${node}, /readyz answered through ${wantedUrl}`,
  ];
}

export async function writeTalosconfig(
  run: Run,
  action: Extract<Action, { kind: 'talosconfig' }>,
): Promise<readonly string[]> {
  const { files } = run.systems;
  await guarded(action.file, async () => {
    const existing = await files.read(action.file);
    if (existing === undefined || sha256(existing) !== action.sha256Before)
      throw new Error('it was changed since the plan');
    await files.write(action.file, setTalosconfigLists(existing, action.context, action), 0o600);
  });
  return [`${action.file} lists ${action.endpoints.join(', ')}`];
}

export async function writeRepositoryFile(
  run: Run,
  action: Extract<Action, { kind: 'repository-file' }>,
): Promise<readonly string[]> {
  await guarded(action.file, () => run.systems.files.write(action.file, action.content.reveal(), 0o644));
  return [`${action.file} is ${sha256(action.content.reveal()).slice(0, 12)}`];
}

/** Puts a file back as it was, unless somebody has changed it since. */
export async function restoreFile(
  run: Run,
  action: Extract<Action, { kind: 'restore-file' }>,
): Promise<readonly string[]> {
  const { files } = run.systems;
  await guarded(action.file, async () => {
    const existing = await files.read(action.file);
    if (existing === undefined || sha256(existing) !== action.sha256Before)
      throw new Error('it was changed since the plan');
    if (action.content === undefined) await files.remove(action.file);
    else await files.write(action.file, action.content.reveal(), 0o644);
  });
  return [
    action.content === undefined
      ? `${action.file} is gone, as before`
      : `${action.file} is ${sha256(action.content.reveal()).slice(0, 12)}, as before`,
  ];
}

async function guarded<T>(file: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure({
      code: 'file-not-written',
      what: `${file} could not be written`,
      why: textOf(error),
      state: 'The file is as it was; the cluster already has its endpoint, and what was written before stands.',
      next: 'Correct the cause, then run fairlead apply again: it goes on here.',
      cause: error,
    });
  }
}
