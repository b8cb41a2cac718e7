import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { buildCommand, buildRouteMap } from '@stricli/core';
import type { FaultReport, FaultRule, ParameterRule } from '../../../lab/faults/types.ts';
import { EXIT, Failure } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand, table } from '../output.ts';

interface StateFlags extends OutputFlags {
  readonly state: string;
}

const parameterText = (rule: ParameterRule): string => {
  const name = rule.form === 'yes' ? `--${rule.name}` : `--${rule.name} ${rule.form.toUpperCase()}`;
  return rule.required === true ? name : `[${name}]`;
};

function catalogueText(catalogue: readonly FaultRule[]): string {
  return catalogue
    .map((rule, i) =>
      [
        ...(rule.system === catalogue[i - 1]?.system ? [] : [`${i === 0 ? '' : '\n'}${rule.system}`]),
        `  ${rule.kind}: ${rule.brief}`,
        `      ${rule.parameters.map(parameterText).join(' ')}`,
      ].join('\n'),
    )
    .join('\n');
}

const listCommand = buildCommand<OutputFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const { CATALOGUE } = await import('../../../lab/faults/catalogue.ts');
      printer.json({ kind: 'FaultCatalogue', faults: CATALOGUE });
      printer.text(catalogueText(CATALOGUE));
    });
  },
  parameters: { flags: outputFlags },
  docs: {
    brief: 'Every fault the lab knows, with its parameters',
    fullDescription: 'Lists the faults; no lab is needed.\n\nExample:\n  fairlead lab fault list',
  },
});

/** One line a fault, what it was given and what it has done so far. */
function reportText(faults: readonly FaultReport[], none: string): string {
  if (faults.length === 0) return none;
  return table([
    ['ID', 'FAULT', 'STATE', 'HITS', 'LEFT', 'UNTIL', 'PARAMETERS', 'NOTES'],
    ...faults.map((f) => [
      f.id,
      f.kind,
      f.state,
      String(f.hits),
      f.left === undefined ? '-' : String(f.left),
      f.until ?? '-',
      Object.entries(f.parameters)
        .map(([name, value]) => `${name}=${value}`)
        .join(' ') || '-',
      f.notes.join('; '),
    ]),
  ]);
}

const showCommand = buildCommand<StateFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const { findLab } = await import('../../../lab/world/client.ts');
      const faults = await (await findLab(path.resolve(this.cwd, flags.state))).faults();
      printer.json({ kind: 'LabFaults', faults });
      printer.text(reportText(faults, 'No fault is set.'));
    });
  },
  parameters: { flags: { ...outputFlags, ...stateFlag } },
  docs: {
    brief: 'The faults that are set, and how often each has acted',
    fullDescription:
      'Shows every fault until it is cleared, spent ones included.\n\nExample:\n  fairlead lab fault show --output json',
  },
});

const text = (brief: string, placeholder: string) =>
  ({ kind: 'parsed', parse: String, optional: true, placeholder, brief }) as const;

/** All parameters of all faults; which one takes which is for the lab to say. */
const parameterFlags = {
  status: text('HTTP status (cloud-status)', 'CODE'),
  code: text('Error code of the API', 'CODE'),
  message: text('Error message', 'TEXT'),
  path: text('Path below /v1; * is anything but a slash, ** anything', 'GLOB'),
  method: text('GET, POST, PUT, DELETE or write', 'VERB'),
  party: text('Who asks, as `lab requests` names it', 'SENDER'),
  action: text("The action's command, as assign_floating_ip", 'GLOB'),
  node: text('Name of a node', 'NODE'),
  address: text('Floating IP: address, id or name', 'ADDRESS'),
  resource: text('What is used up (quota-reached)', 'RESOURCE'),
  token: text('fairlead, node or read-only', 'TOKEN'),
  from: text('Party: client, cloud, dns or a node', 'PARTY'),
  to: text('Party: client, cloud, dns or a node', 'PARTY'),
  oneWay: { kind: 'boolean', optional: true, withNegated: false, brief: 'Only from --from to --to' },
  delay: text('How much later: 200ms, 3s', 'TIME'),
  percent: text('Share that is lost', 'N'),
  port: text('Port', 'N'),
  name: text('Names (dns)', 'GLOB'),
  answer: text('Answer (dns)', 'ANSWER'),
  alarm: text('NOSPACE or CORRUPT', 'ALARM'),
  as: text('The other node (hostname-twice)', 'NODE'),
  by: text('nobody, two or another (address-claimed)', 'WHO'),
  how: text('orderly or forced (node-reboot)', 'HOW'),
  into: text('node-addresses or etcd-peers (vip-leaked)', 'WHERE'),
  names: text('Names of links, with commas', 'NAMES'),
  patch: text('Patch of a machine config, or @FILE', 'PATCH'),
  san: text('Name or address that a certificate lacks', 'NAME'),
  skew: text('How far a clock is ahead (2h) or behind (-5m)', 'TIME'),
  timeout: text('How long a config is tried', 'TIME'),
  count: text('How often it acts', 'N'),
  duration: text('How long it lasts: 30s, 5m', 'TIME'),
} as const;

type SetFlags = StateFlags & {
  readonly [Name in keyof typeof parameterFlags]?: Name extends 'oneWay' ? boolean : string;
};

/** What was given, by the names of the catalogue. */
const givenOf = (flags: SetFlags): Record<string, string | boolean> =>
  Object.fromEntries(
    (Object.keys(parameterFlags) as (keyof typeof parameterFlags)[]).flatMap((name) => {
      const value = flags[name];
      return value === undefined ? [] : [[name === 'oneWay' ? 'one-way' : name, value]];
    }),
  );

const setCommand = buildCommand<SetFlags, [string], CliContext>({
  func(flags, kind) {
    return runCommand(this, flags, async (printer) => {
      const { findLab } = await import('../../../lab/world/client.ts');
      const lab = await findLab(path.resolve(this.cwd, flags.state));
      const given = givenOf(flags);
      const { patch } = given;
      if (typeof patch === 'string' && patch.startsWith('@'))
        given['patch'] = await readFile(path.resolve(this.cwd, patch.slice(1)), 'utf8');
      const fault = await lab.setFault(kind, given);
      printer.json({ kind: 'LabFault', fault });
      printer.text(reportText([fault], ''));
      printer.progress(`Clear it with \`fairlead lab fault clear ${fault.id}\`.`);
    });
  },
  parameters: {
    flags: { ...outputFlags, ...stateFlag, ...parameterFlags },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'Fault, as `list` names it', parse: String, placeholder: 'FAULT' }],
    },
  },
  docs: {
    brief: 'Make something go wrong',
    fullDescription: [
      'Sets a fault. It lasts until it is cleared, its count is used up or its time is over. `fault list` tells which',
      'parameters each fault takes.',
      '',
      'Examples:',
      "  fairlead lab fault set cloud-status --status 423 --path '/floating_ips/*/actions/assign' --count 3 --duration 30s",
      '  fairlead lab fault set partition --from NODE --to cloud',
    ].join('\n'),
  },
});

const clearCommand = buildCommand<StateFlags & { readonly all: boolean }, [string?], CliContext>({
  func(flags, id) {
    return runCommand(this, flags, async (printer) => {
      if ((id === undefined) !== flags.all) throw whichOne();
      const { findLab } = await import('../../../lab/world/client.ts');
      const cleared = await (await findLab(path.resolve(this.cwd, flags.state))).clearFaults(id);
      printer.json({ kind: 'LabFaultsCleared', faults: cleared });
      printer.text(reportText(cleared, 'No fault was set.'));
    });
  },
  parameters: {
    flags: {
      ...outputFlags,
      ...stateFlag,
      all: { kind: 'boolean', default: false, withNegated: false, brief: 'All faults' },
    },
    positional: {
      kind: 'tuple',
      parameters: [{ brief: 'Id of the fault, as `show` names it', parse: String, placeholder: 'ID', optional: true }],
    },
  },
  docs: {
    brief: 'End a fault, or all, and put right what it changed',
    fullDescription:
      'Ends a fault at once; the world is as it was before it.\n\nExamples:\n  fairlead lab fault clear f1\n  fairlead lab fault clear --all',
  },
});

const whichOne = (): Failure =>
  new Failure({
    code: 'lab-fault-usage',
    exit: EXIT.usage,
    what: 'No fault was cleared',
    why: 'give the id of one, or --all, not both',
    state: 'The lab is as it was.',
    next: 'See `fairlead lab fault show`.',
  });

export const faultRoutes = buildRouteMap({
  routes: { list: listCommand, set: setCommand, show: showCommand, clear: clearCommand },
  docs: { brief: 'Things that go wrong, on purpose' },
});
