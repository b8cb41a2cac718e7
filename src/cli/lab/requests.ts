import path from 'node:path';
import { buildCommand } from '@stricli/core';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand, table } from '../output.ts';

interface RequestsFlags extends OutputFlags {
  readonly state: string;
  readonly since?: string;
  readonly writes: boolean;
}

/** A number of an earlier answer or a time; anything else would silently show nothing. */
const mark = (text: string): string => {
  if (/^\d+$/.test(text) || (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)))) return text;
  throw new SyntaxError(`${text} is neither a mark, as 120, nor a time, as 2026-11-24T07:44:33Z`);
};

export const requestsCommand = buildCommand<RequestsFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const { findLab } = await import('../../../lab/world/client.ts');
      const answer = await (await findLab(path.resolve(this.cwd, flags.state))).requests(flags.since);
      const requests = flags.writes ? answer.requests.filter((r) => r.write) : answer.requests;
      printer.json({ kind: 'LabRequests', mark: answer.mark, requests });
      printer.text(
        table([
          ['AT', 'SYSTEM', 'METHOD', 'STATUS', 'MS', 'WRITE', 'BY', 'PATH'],
          ...requests.map((r) => [
            r.at,
            r.system,
            r.method,
            String(r.status),
            String(Math.round(r.ms)),
            r.write ? 'yes' : '',
            r.by,
            r.path,
          ]),
        ]),
      );
      printer.progress(`mark ${answer.mark}`);
    });
  },
  parameters: {
    flags: {
      ...outputFlags,
      ...stateFlag,
      since: {
        kind: 'parsed',
        parse: mark,
        optional: true,
        placeholder: 'MARK',
        brief: 'Only after this mark (a number of an earlier answer, or an RFC 3339 time)',
      },
      writes: { kind: 'boolean', default: false, brief: 'Only those that changed something' },
    },
  },
  docs: {
    brief: 'Every request to every system of the lab',
    fullDescription:
      'Lists each request with its sender. Tokens and bodies are never kept.\n\nExample:\n  fairlead lab requests --since 120 --writes',
  },
});
