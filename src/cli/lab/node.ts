import path from 'node:path';
import { buildCommand, buildRouteMap } from '@stricli/core';
import { EXIT, Failure, textOf } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand, table } from '../output.ts';

interface NodeFlags extends OutputFlags {
  readonly state: string;
}

const listCommand = buildCommand<NodeFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const { findLab } = await import('../../../lab/world/client.ts');
      const { nodes } = await (await findLab(path.resolve(this.cwd, flags.state))).info();
      printer.json({ kind: 'LabNodes', nodes });
      printer.text(
        table([
          ['NODE', 'ROLE', 'SERVER', 'PUBLIC', 'POWER', 'STAGE', 'READY'],
          ...nodes.map((n) => [
            n.name,
            n.role,
            String(n.serverId),
            n.publicIPv4,
            n.power,
            n.stage,
            n.ready ? 'yes' : 'no',
          ]),
        ]),
      );
    });
  },
  parameters: { flags: { ...outputFlags, ...stateFlag } },
  docs: { brief: 'The nodes of the lab', fullDescription: 'Lists the nodes.\n\nExample:\n  fairlead lab node list' },
});

/** One verb a node can be told; the work is done by the lab, through its cloud's API. */
const verbCommand = (verb: string, brief: string, done: string) =>
  buildCommand<NodeFlags, [string], CliContext>({
    func(flags, node) {
      return runCommand(this, flags, async (printer) => {
        const { findLab } = await import('../../../lab/world/client.ts');
        const lab = await findLab(path.resolve(this.cwd, flags.state));
        printer.progress(`${verb} ${node} …`);
        const before = this.clock.now();
        const { signal } = this;
        // The lab does the work; an interruption ends only the waiting for it.
        const interrupted = new Promise<never>((_, reject) => {
          signal.addEventListener('abort', () => reject(stopped(verb, node, signal.reason)), { once: true });
        });
        const result = await Promise.race([lab.operate(node, verb), interrupted]);
        const seconds = ((this.clock.now() - before) / 1000).toFixed(1);
        printer.json({ kind: 'LabNode', verb, ...result });
        printer.text(`${node} ${done} (${seconds} s)`);
      });
    },
    parameters: {
      flags: { ...outputFlags, ...stateFlag },
      positional: { kind: 'tuple', parameters: [{ brief: 'Name of the node', parse: String, placeholder: 'NAME' }] },
    },
    docs: { brief, fullDescription: `${brief}.\n\nExample:\n  fairlead lab node ${verb} NAME` },
  });

const stopped = (verb: string, node: string, reason: unknown): Failure =>
  new Failure({
    code: 'interrupted',
    exit: EXIT.interrupted,
    what: 'Interrupted',
    why: textOf(reason),
    state: `The lab goes on with ${verb} ${node}.`,
    next: 'See `fairlead lab node list` for how it ended.',
  });

export const nodeRoutes = buildRouteMap({
  routes: {
    list: listCommand,
    delete: verbCommand('delete', 'Delete the server: the node is gone', 'is gone'),
    recreate: verbCommand('recreate', 'Create a deleted node again: same name, new server id and addresses', 'is back'),
    replace: verbCommand(
      'replace',
      'Delete, remove the etcd member, recreate, wait until ready',
      'is replaced and ready',
    ),
    powerOff: verbCommand('power-off', 'Pull the cord: it falls silent', 'is off'),
    powerOn: verbCommand('power-on', 'Switch it on and wait until it is ready', 'is on and ready'),
    reboot: verbCommand('reboot', 'Reboot it and wait until it is ready', 'is back and ready'),
  },
  docs: { brief: 'Do things to single nodes of the lab' },
});
