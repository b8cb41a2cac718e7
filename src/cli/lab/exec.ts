import path from 'node:path';
import { buildCommand } from '@stricli/core';
import type { ExitCode } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { outputFlags, stateFlag } from '../flags.ts';
import { type OutputFlags, runCommand } from '../output.ts';

interface ExecFlags extends OutputFlags {
  readonly state: string;
  readonly from: string;
}

export const execCommand = buildCommand<ExecFlags, readonly string[], CliContext>({
  func(flags, ...command) {
    return runCommand(this, flags, async () => {
      const { execInside } = await import('../../../lab/world/exec.ts');
      const state = path.resolve(this.cwd, flags.state);
      const { cwd, env, signal } = this;
      // The command says what there is to say; its exit code becomes ours.
      return (await execInside({ state, from: flags.from, command, cwd, env, signal })) as ExitCode;
    });
  },
  parameters: {
    flags: {
      ...outputFlags,
      ...stateFlag,
      from: {
        kind: 'parsed',
        parse: String,
        default: 'client',
        placeholder: 'PLACE',
        brief: 'Where it runs: client, or the name of a node',
      },
    },
    positional: {
      kind: 'array',
      parameter: { brief: 'The command and its arguments', parse: String, placeholder: 'CMD' },
      minimum: 1,
    },
  },
  docs: {
    brief: 'Run a command inside the network of the lab',
    fullDescription: [
      'Runs a command where the addresses of the lab are reachable: in the namespace of the client or of a node.',
      'It sees the same files, has a resolv.conf of its own, and its exit code is passed on.',
      '',
      'Examples:',
      '  fairlead lab exec --from client -- kubectl --kubeconfig .fairlead/lab/kubeconfig get nodes',
      '  fairlead lab exec -- fairlead plan --config .fairlead/lab/fairlead.yaml',
    ].join('\n'),
  },
});
