import { MachineConfigError } from './error.ts';

/** Whether a Talos release is at least the given one of its minor line, or of a later line; of two numbers, as `1.13.9`. */
export function isAtLeast(version: string, minor: number, patch: number): boolean {
  const match = /^v?1\.(\d+)\.(\d+)/.exec(version);
  if (match === null) return false;
  const [have, release] = [Number(match[1]), Number(match[2])];
  return have > minor || (have === minor && release >= patch);
}

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
