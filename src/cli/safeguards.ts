import path from 'node:path';
import type { Safeguards } from '../apply/begin.ts';
import { EXIT, Failure } from '../base/failure.ts';
import type { CliContext } from './context.ts';

export interface SafeguardFlags {
  readonly snapshot?: string;
  readonly noSnapshot?: string;
  readonly withoutLock?: string;
}

/** What may be decided about the safeguards of a run that changes the cluster. */
export const safeguardFlags = {
  snapshot: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'FILE',
    brief: 'Where the etcd snapshot goes, sealed with age (default: beside the journal)',
  },
  noSnapshot: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'REASON',
    brief: 'Take no etcd snapshot; the record keeps the reason',
  },
  withoutLock: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'REASON',
    brief: 'Go without the lock of the cluster; the record keeps the reason',
  },
} as const;

export function safeguardsOf(context: CliContext, flags: SafeguardFlags): Safeguards {
  const { snapshot, noSnapshot, withoutLock } = flags;
  if (snapshot !== undefined && noSnapshot !== undefined)
    throw misused('--snapshot and --no-snapshot exclude each other');
  for (const [flag, reason] of [
    ['--no-snapshot', noSnapshot],
    ['--without-lock', withoutLock],
  ] as const) {
    if (reason !== undefined && reason.trim() === '') throw misused(`${flag} needs its reason`);
  }
  return {
    snapshot:
      noSnapshot !== undefined
        ? { kind: 'none', reason: noSnapshot }
        : snapshot !== undefined
          ? { kind: 'file', file: path.resolve(context.cwd, snapshot) }
          : { kind: 'journal' },
    withoutLock,
  };
}

const misused = (why: string): Failure =>
  new Failure({
    code: 'usage',
    exit: EXIT.usage,
    what: 'The command cannot be understood',
    why,
    state: 'Nothing was changed.',
    next: 'Run it with --help.',
  });
