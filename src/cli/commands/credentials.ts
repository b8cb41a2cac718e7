import { buildCommand } from '@stricli/core';
import { EXIT, Failure } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { type CommonFlags, commandSignal, commonFlags } from '../flags.ts';
import { runCommand } from '../output.ts';

interface CredentialFlags extends CommonFlags {
  readonly file?: string;
  readonly stdout: boolean;
  readonly context?: string;
}

const credentialFlags = {
  ...commonFlags,
  file: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'FILE',
    brief: 'Write this one alone, instead of merging into your own files',
  },
  stdout: { kind: 'boolean', default: false, brief: 'Print it (the one way a credential reaches your terminal)' },
  context: {
    kind: 'parsed',
    parse: String,
    optional: true,
    placeholder: 'NAME',
    brief: 'Name of the context to write',
  },
} as const;

const credentialCommand = (kind: 'kubeconfig' | 'talosconfig', brief: string, where: string) =>
  buildCommand<CredentialFlags, [], CliContext>({
    func(flags) {
      return runCommand(this, flags, async (printer) => {
        if (flags.file !== undefined && flags.stdout) {
          throw new Failure({
            code: 'flags-exclude',
            exit: EXIT.usage,
            what: '--file and --stdout exclude each other',
            why: 'a credential goes to one place',
            state: 'Nothing was changed.',
            next: 'Give one of them.',
          });
        }
        const [{ loadConfig }, { composeSystems }, { provideCredential }] = await Promise.all([
          import('../../config/load.ts'),
          import('../compose.ts'),
          import('./provide-credential.ts'),
        ]);
        const loaded = await loadConfig(this, flags.config);
        const systems = await composeSystems(this, loaded);
        try {
          const result = await provideCredential(kind, systems, loaded, {
            cwd: this.cwd,
            env: this.env,
            file: flags.file,
            stdout: flags.stdout,
            context: flags.context,
            signal: commandSignal(this, flags),
          });
          if (flags.stdout) {
            // Asked for by name: the only output of a secret. As JSON the file's text stands inside the document.
            if (!printer.isJson) this.process.stdout.write(result.text.reveal());
            printer.json({
              kind: kind === 'kubeconfig' ? 'Kubeconfig' : 'Talosconfig',
              file: null,
              context: result.context ?? null,
              written: false,
              content: result.text.reveal(),
            });
            return;
          }
          printer.text(`${result.file}: ${result.summary}`);
          printer.json({
            kind: kind === 'kubeconfig' ? 'Kubeconfig' : 'Talosconfig',
            file: result.file,
            context: result.context ?? null,
            written: result.written,
            summary: result.summary,
          });
        } finally {
          systems.close();
        }
      });
    },
    parameters: { flags: credentialFlags },
    docs: {
      brief,
      fullDescription: `${brief}. ${where}\n\nExamples:\n  fairlead ${kind}\n  fairlead ${kind} --file ./${kind}\n  fairlead ${kind} --stdout`,
    },
  });

export const kubeconfigCommand = credentialCommand(
  'kubeconfig',
  'Put the cluster into your kubeconfig, pointing at the endpoint',
  'Merges into the files of $KUBECONFIG, else ~/.kube/config; other contexts stay as they are. A client certificate is minted through Talos.',
);

export const talosconfigCommand = credentialCommand(
  'talosconfig',
  "Put the control planes' own addresses into your talosconfig",
  'Merges into $TALOSCONFIG, else ~/.talos/config; other contexts stay as they are. The endpoint itself never goes in: it is gone when etcd is.',
);
