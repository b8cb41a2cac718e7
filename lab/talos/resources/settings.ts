import { checkConfig } from '../config/read.ts';
import { minorOf, readSettings, type Settings } from '../config/settings.ts';
import type { ActiveConfig, Machine } from '../machine.ts';

const read = new WeakMap<ActiveConfig, Settings>();

/** What the active config says; undefined before there is one. */
export function settingsOf(machine: Machine): Settings | undefined {
  const { active } = machine;
  if (active === undefined) return undefined;
  const known = read.get(active);
  if (known !== undefined) return known;
  const { version } = machine.ports;
  const verdict = checkConfig(active.text, minorOf(version));
  if ('refusal' in verdict) return undefined;
  const settings = readSettings(verdict.documents, version);
  read.set(active, settings);
  return settings;
}
