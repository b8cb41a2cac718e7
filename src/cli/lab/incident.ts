import { existsSync } from 'node:fs';
import path from 'node:path';
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { LabOptions } from '../../../lab/world/info.ts';
import type { Incident, IncidentReport } from '../../../lab/world/incidents/types.ts';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand, table } from '../output.ts';

const NAME = {
  kind: 'tuple',
  parameters: [{ brief: 'Incident, as `list` names it', parse: String, placeholder: 'NAME' }],
} as const;

const listCommand = buildCommand<OutputFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const { listIncidents } = await import('../../../lab/world/incidents/catalogue.ts');
      const incidents = listIncidents();
      printer.json({ kind: 'LabIncidents', incidents });
      printer.text(table([['INCIDENT', 'WHAT HAPPENED'], ...incidents.map(({ name, title }) => [name, title])]));
    });
  },
  parameters: { flags: outputFlags },
  docs: {
    brief: 'Incidents that really happened',
    fullDescription: 'Lists the incidents; no lab is needed.\n\nExample:\n  fairlead lab incident list',
  },
});

function incidentText({ title, versions, world, steps, saw, source }: Incident): string {
  const start = world.endpoint === 'node' ? "the first control plane's own address" : 'a floating IP that Talos moves';
  return [
    title,
    '',
    `Then      ${versions.happenedOn}`,
    `Now       Talos ${versions.talos}, Hetzner ${versions.hetzner}`,
    `World     ${world.controlPlanes} control planes, ${world.workers} workers; the endpoint is ${start}`,
    `Steps     ${steps.map((step) => JSON.stringify(step)).join('\n          ')}`,
    `Seen      ${saw}`,
    `Source    ${source.join('\n          ')}`,
  ].join('\n');
}

const showCommand = buildCommand<OutputFlags, [string], CliContext>({
  func(flags, name) {
    return runCommand(this, flags, async (printer) => {
      const { incidentOf } = await import('../../../lab/world/incidents/catalogue.ts');
      const incident = incidentOf(name);
      printer.json({ kind: 'LabIncident', incident });
      printer.text(incidentText(incident));
    });
  },
  parameters: { flags: outputFlags, positional: NAME },
  docs: {
    brief: 'One incident: its world, what was done to it, what an operator saw, where it is told',
    fullDescription:
      'Shows one incident; no lab is needed.\n\nExample:\n  fairlead lab incident show first-node-deleted',
  },
});

interface RunFlags extends OutputFlags {
  readonly state: string;
  readonly parts: LabOptions['parts'];
  readonly speed: number;
}

const speed = (text: string): number => {
  const n = Number(text);
  if (!(n >= 1 && n <= 30)) throw new RangeError(`${text} is not a number from 1 to 30`);
  return n;
};

function reportText({ title, saw, steps, facts }: IncidentReport): string {
  return [
    title,
    '',
    'Done:',
    ...steps.map((step) => `  ${step}`),
    '',
    'What an operator said:',
    `  ${saw}`,
    '',
    'What there is to be seen:',
    ...facts.map(({ what, found, holds }) => `  ${what}: ${found}${holds ? '' : '   (not as it was)'}`),
  ].join('\n');
}

const runOne = buildCommand<RunFlags, [string], CliContext>({
  func(flags, name) {
    return runCommand(
      this,
      flags,
      async (printer) => {
        const { incidentOf } = await import('../../../lab/world/incidents/catalogue.ts');
        const { findLab, startLab } = await import('../../../lab/world/client.ts');
        const { versions, world } = incidentOf(name);
        const state = path.resolve(this.cwd, flags.state);
        if (!existsSync(path.join(state, 'lab.json'))) {
          const options: LabOptions = {
            fabric: 'loopback',
            parts: flags.parts,
            controlPlanes: world.controlPlanes,
            workers: world.workers,
            talos: versions.talos,
            hetznerEra: versions.hetzner,
            speed: flags.speed,
            knobs: world.knobs ?? {},
          };
          await startLab({ clock: this.clock }, state, options, printer.progress, this.signal);
        }
        printer.progress(`bringing the world up to ${name} …`);
        const report = await (await findLab(state)).runIncident(name);
        printer.json({ kind: 'LabIncidentRun', ...report });
        printer.text(reportText(report));
        printer.progress('Look around with `fairlead verify`; end it with `fairlead lab down`.');
      },
      'A lab that was being started is ended; one that ran goes on.',
    );
  },
  parameters: {
    flags: {
      ...outputFlags,
      ...stateFlag,
      parts: {
        kind: 'enum',
        values: ['auto', 'built-in', 'real'],
        default: 'auto',
        brief: 'Parts of a lab that is started for it',
      },
      speed: {
        kind: 'parsed',
        parse: speed,
        default: '10',
        placeholder: 'N',
        brief: 'Speed of a lab that is started for it (1 to 30)',
      },
    },
    positional: NAME,
  },
  docs: {
    brief: 'Bring a world up to where an incident was noticed',
    fullDescription: [
      'Brings the lab of --state, or a new one there, to where the incident was noticed, and prints what an operator',
      'would see. The lab goes on: look around, mend it, end it with `lab down`.',
      '',
      'Example:',
      '  fairlead lab incident run first-node-deleted --state /tmp/incident',
    ].join('\n'),
  },
});

export const incidentRoutes = buildRouteMap({
  routes: { list: listCommand, run: runOne, show: showCommand },
  docs: { brief: 'Things that went wrong once, to be met again' },
});
