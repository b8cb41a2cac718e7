import { buildCommand, buildRouteMap } from '@stricli/core';
import { EXIT, Failure } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { outputFlags } from '../flags.ts';
import { type OutputFlags, runCommand } from '../output.ts';

interface InitFlags extends OutputFlags {
  readonly file: string;
  readonly name?: string;
}

export const initCommand = buildCommand<InitFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const [{ writeFile }, path, { exampleConfig }] = await Promise.all([
        import('node:fs/promises'),
        import('node:path'),
        import('../../config/example.ts'),
      ]);
      const file = path.resolve(this.cwd, flags.file);
      try {
        await writeFile(file, exampleConfig(flags.name ?? 'prod'), { flag: 'wx' });
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
          throw new Failure({
            code: 'init-exists',
            exit: EXIT.usage,
            what: `${flags.file} is there already`,
            why: 'init never writes over a file',
            state: 'Nothing was changed.',
            next: 'Edit it, or name another with --file FILE.',
            cause: error,
          });
        }
        throw error;
      }
      printer.text(`${flags.file} is written. Edit name, address and references, then look: fairlead plan`);
      printer.json({ kind: 'Initialized', file });
    });
  },
  parameters: {
    flags: {
      ...outputFlags,
      file: {
        kind: 'parsed',
        parse: String,
        default: 'fairlead.yaml',
        placeholder: 'FILE',
        brief: 'Where to write it',
      },
      name: { kind: 'parsed', parse: String, optional: true, placeholder: 'NAME', brief: 'Name of the Talos cluster' },
    },
  },
  docs: {
    brief: 'Write a fairlead.yaml to start from',
    fullDescription:
      'Writes a commented fairlead.yaml. Never writes over a file.\n\nExample:\n  fairlead init --name prod',
  },
});

const schemaCommand = buildCommand<OutputFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async () => {
      const { configJsonSchema } = await import('../../config/schema.ts');
      this.process.stdout.write(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
    });
  },
  parameters: { flags: outputFlags },
  docs: {
    brief: 'Print the JSON Schema of fairlead.yaml',
    fullDescription:
      'Prints the JSON Schema (2020-12) of fairlead.yaml, for editors and validators.\n\nExample:\n  fairlead config schema > fairlead.schema.json',
  },
});

export const configRoutes = buildRouteMap({
  routes: { schema: schemaCommand },
  docs: { brief: 'About fairlead.yaml' },
});
