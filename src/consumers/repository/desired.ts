import path from 'node:path';
import type { PatchScope } from '../../model/observation.ts';
import { type PatchSettings, readPatch } from './settings.ts';

/** A patch that fairlead wants in the folder, under its own name. */
export interface WantedPatch {
  readonly scope: PatchScope;
  /** `<verb>-<purpose>.yaml` */
  readonly name: string;
  readonly purpose: 'endpoint' | 'names' | 'issuer' | 'vip';
  readonly text: string;
}

export interface WantedRepository {
  readonly endpoint: string;
  readonly names: readonly string[];
  readonly issuer: { readonly issuer: string; readonly audiences: readonly string[] } | undefined;
  readonly ip: string;
  /** The reference that stands for the token: `${NAME}`. */
  readonly tokenReference: string;
  readonly patches: readonly WantedPatch[];
  /** The patch that lists these names: lists are appended by Talos, so a name that another file lists is left out. */
  readonly namesPatch: (names: readonly string[]) => WantedPatch;
}

export interface RepositoryFile {
  readonly scope: PatchScope;
  readonly file: string;
  readonly text: string;
}

export type RepositoryChange =
  | {
      readonly kind: 'write';
      readonly file: string;
      readonly scope: PatchScope;
      readonly purpose: WantedPatch['purpose'];
      readonly before: string | undefined;
      readonly after: string;
    }
  | { readonly kind: 'conflict'; readonly file: string; readonly why: string };

/**
 * What is to be written so that a node made from this folder comes up as the running ones are. Files under fairlead's own names are
 * fairlead's; in others only an endpoint is set right where it stands. What another file already gives is not given twice; what
 * contradicts is a conflict, never overwritten.
 */
export function repositoryChanges(
  folder: string,
  files: readonly RepositoryFile[],
  wanted: WantedRepository,
): RepositoryChange[] {
  const own = new Set(wanted.patches.map((patch) => placeOf(folder, patch)));
  const others = files.filter((file) => !own.has(file.file));
  const settings = others.map((file) => ({ file, read: readPatch(file.scope, file.file, file.text) }));
  const changes: RepositoryChange[] = settings.flatMap(({ read }) =>
    read.problem === undefined
      ? []
      : [{ kind: 'conflict', file: read.file, why: `it is not readable: ${read.problem}` }],
  );
  for (const { file, read } of settings) {
    const stale = read.endpoints.filter((endpoint) => endpoint.value !== wanted.endpoint);
    if (stale.length === 0) continue;
    const after = stale
      .toSorted((a, b) => b.from - a.from)
      .reduce((text, place) => text.slice(0, place.from) + wanted.endpoint + text.slice(place.to), file.text);
    changes.push({ kind: 'write', file: file.file, scope: file.scope, purpose: 'endpoint', before: file.text, after });
  }
  const reads = settings.map((s) => s.read);
  for (const standard of wanted.patches) {
    const patch = standard.purpose === 'names' ? wanted.namesPatch(unlisted(reads, wanted)) : standard;
    const verdict = givenElsewhere(patch.purpose, reads, wanted);
    if (verdict === 'given') continue;
    if (verdict !== 'missing') {
      changes.push({ kind: 'conflict', ...verdict });
      continue;
    }
    const file = placeOf(folder, patch);
    const before = files.find((f) => f.file === file)?.text;
    if (before !== patch.text) {
      changes.push({ kind: 'write', file, scope: patch.scope, purpose: patch.purpose, before, after: patch.text });
    }
  }
  return changes;
}

const placeOf = (folder: string, patch: WantedPatch): string => path.join(folder, 'talos', patch.scope, patch.name);

/** Names that no other file lists for control planes. */
function unlisted(reads: readonly PatchSettings[], wanted: WantedRepository): string[] {
  const listed = new Set(reads.filter((read) => read.scope !== 'workers').flatMap((read) => read.certSANs));
  return wanted.names.filter((name) => !listed.has(name));
}

type Given = 'given' | 'missing' | { readonly file: string; readonly why: string };

/** Whether files of others already give control planes this setting, or contradict it. */
function givenElsewhere(
  purpose: WantedPatch['purpose'],
  reads: readonly PatchSettings[],
  wanted: WantedRepository,
): Given {
  const forPlanes = reads.filter((read) => read.scope !== 'workers');
  switch (purpose) {
    case 'endpoint':
      // Other files' endpoints are set right where they stand; for workers one in scope cluster or workers is needed too.
      return reads.some((read) => read.scope === 'cluster' && read.endpoints.length > 0) ? 'given' : 'missing';
    case 'names':
      return unlisted(reads, wanted).length === 0 ? 'given' : 'missing';
    case 'issuer': {
      const setting = forPlanes.find((read) => read.issuers.length > 0);
      if (setting === undefined || wanted.issuer === undefined) return 'missing';
      const { issuer, audiences } = wanted.issuer;
      if (setting.issuers[0] !== issuer) {
        return {
          file: setting.file,
          why: `it sets the token issuer ${setting.issuers[0]}, living tokens carry ${issuer}`,
        };
      }
      const has = new Set(forPlanes.flatMap((read) => read.audiences));
      const missing = audiences.filter((audience) => !has.has(audience));
      return missing.length === 0
        ? 'given'
        : { file: setting.file, why: `it sets the token issuer, but its api-audiences lack ${missing.join(', ')}` };
    }
    case 'vip': {
      const vips = reads.flatMap((read) => read.vips.map((vip) => ({ read, vip })));
      const onWorkers = vips.find(({ read }) => read.scope !== 'control-planes');
      if (onWorkers !== undefined) {
        return { file: onWorkers.read.file, why: `it gives workers a VIP entry for ${onWorkers.vip.ip} too` };
      }
      const foreign = vips.find(({ vip }) => vip.ip !== wanted.ip);
      if (foreign !== undefined) return { file: foreign.read.file, why: `it has a VIP entry for ${foreign.vip.ip}` };
      const clear = vips.find(
        ({ vip }) => vip.token !== undefined && !/^\$\{[A-Za-z_][A-Za-z0-9_]*\}$/.test(vip.token),
      );
      if (clear !== undefined) {
        return {
          file: clear.read.file,
          why: `it holds a token in clear; write ${wanted.tokenReference} there and the token into env`,
        };
      }
      return vips.length > 0 ? 'given' : 'missing';
    }
  }
}
