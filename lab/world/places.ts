import { readdir, readFile } from 'node:fs/promises';

/** Marks every command that `lab exec` starts, and whatever it starts, as this lab's. */
export const LAB_VARIABLE = 'FAIRLEAD_LAB';

/**
 * Processes that commands of `lab exec` left running: in the background, or because the lab was ended under them. They
 * hold the namespaces they run in. Found by the variable in their environment, which children inherit.
 */
export async function leftInside(state: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const ours = await Promise.all(
    pids.map(async (pid) => {
      const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
      return environment.split('\0').includes(Buffer.from(`${LAB_VARIABLE}=${state}`).toString('latin1'));
    }),
  );
  return pids.filter((pid, i) => ours[i] === true && pid !== process.pid);
}
