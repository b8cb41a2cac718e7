import { MachineConfigError } from './error.ts';

/**
 * The minor number of a Talos version: `v1.13.9`, `v1.14.0-rc.1`, `1.12`. What a configuration may say and how Talos patches it
 * changes with the minor release only.
 */
export function minorOf(version: string): number {
  const match = /^v?1\.(\d+)(?:[.-].*)?$/.exec(version);
  if (match?.[1] === undefined) {
    throw new MachineConfigError('unknown', `${JSON.stringify(version)} is not a Talos version this tool knows (v1.x)`);
  }
  return Number(match[1]);
}
