import path from 'node:path';
import { buildCommand } from '@stricli/core';
import type { Knob } from '../../../lab/knobs/types.ts';
import { Failure } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand, table } from '../output.ts';

interface KnobsFlags extends OutputFlags {
  readonly state: string;
  readonly guesses: boolean;
}

/** Those of the lab that runs here; where none does, the ones a new lab would have. */
async function knobsOf(state: string): Promise<readonly Knob[]> {
  const { findLab } = await import('../../../lab/world/client.ts');
  try {
    return await (await findLab(state)).knobs();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'lab-absent') throw error;
  }
  const { listKnobs } = await import('../../../lab/knobs/knobs.ts');
  return listKnobs();
}

export const knobsCommand = buildCommand<KnobsFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const all = await knobsOf(path.resolve(this.cwd, flags.state));
      const knobs = flags.guesses ? all.filter((knob) => knob.guess) : all;
      printer.json({ kind: 'LabKnobs', knobs });
      const inForce = knobs.some((knob) => knob.value !== undefined);
      printer.text(
        table([
          ['KNOB', ...(inForce ? ['VALUE'] : []), 'DEFAULT', 'UNIT', 'GUESS', 'WHAT', 'SOURCE'],
          ...knobs.map((knob) => [
            knob.name,
            ...(inForce ? [knob.value === knob.default ? '=' : (knob.value ?? '')] : []),
            knob.default,
            knob.unit,
            knob.guess ? 'yes' : '',
            knob.brief,
            knob.source,
          ]),
        ]),
      );
    });
  },
  parameters: {
    flags: {
      ...outputFlags,
      ...stateFlag,
      guesses: { kind: 'boolean', default: false, withNegated: false, brief: 'Only what nobody knows for certain' },
    },
  },
  docs: {
    brief: 'What the lab had to guess or choose, and how to choose otherwise',
    fullDescription: [
      'Lists every guess of the lab with its default, its unit and its source; with a lab here, also what is in force.',
      'Turn one with `fairlead lab up --knob NAME=VALUE`.',
      '',
      'Example:',
      '  fairlead lab knobs --guesses',
    ].join('\n'),
  },
});
