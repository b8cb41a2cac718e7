import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { RequestRecord } from '../../lab/world/audit.ts';
import type { LabClient } from '../../lab/world/client.ts';
import type { LabInfo } from '../../lab/world/info.ts';
import { runCut, SURROUNDINGS } from './child.ts';

/** What fairlead did in the world, without what surrounds it. */
export const steps = (requests: readonly RequestRecord[]): readonly RequestRecord[] =>
  requests.filter((r) => r.write && r.by === 'fairlead' && !SURROUNDINGS.some((part) => r.path.includes(part)));

/** An address that fairlead made is protected by the very next thing it does, whoever kills it in between. */
export function unprotected(requests: readonly RequestRecord[]): string[] {
  const done = steps(requests);
  return done.flatMap((request, at) => {
    if (request.method !== 'POST' || !request.path.endsWith('/floating_ips')) return [];
    const next = done[at + 1];
    return next === undefined || next.path.endsWith('/change_protection')
      ? []
      : [`an address was made, and before it was protected came ${next.method} ${next.path}`];
  });
}

async function filesOf(info: LabInfo): Promise<ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  for (const entry of await readdir(info.state, { recursive: true, withFileTypes: true })) {
    const file = path.relative(info.state, path.join(entry.parentPath, entry.name));
    if (!entry.isFile() || /^(nodes\/|requests\.jsonl|lab\.log|lab\.json|children\.json)/.test(file)) continue;
    const bytes = await readFile(path.join(info.state, file)).catch(() => undefined);
    if (bytes !== undefined) all.set(file, createHash('sha256').update(bytes).digest('hex'));
  }
  return all;
}

/** Runs it once more on a world that has arrived: nothing may be written, in no system and to no file. */
export async function idle(lab: LabClient, folder: string, args: readonly string[]): Promise<string[]> {
  const info = await lab.info();
  const [{ mark }, before] = await Promise.all([lab.requests(), filesOf(info)]);
  const ran = await runCut(lab, folder, args, []);
  const [{ requests }, after] = await Promise.all([lab.requests(String(mark)), filesOf(info)]);
  const writes = requests.filter((r) => r.write && r.by === 'fairlead');
  const changed = [...new Set([...before.keys(), ...after.keys()])].filter((f) => before.get(f) !== after.get(f));
  return [
    ...(ran.code === 0 ? [] : [`once more, ${args[0]} ended with ${ran.code}: ${lastWords(ran.stdout + ran.stderr)}`]),
    ...writes.map((r) => `once more, ${args[0]} wrote: ${r.method} ${r.path}`),
    ...changed.map((file) => `once more, ${args[0]} changed ${file}`),
  ];
}

export const lastWords = (text: string): string => text.trim().split('\n').slice(-12).join(' | ').slice(-1_500);
