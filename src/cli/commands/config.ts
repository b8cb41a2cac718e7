import { buildCommand, buildRouteMap } from '@stricli/core';
import { EXIT, Failure } from '../../base/failure.ts';
import type { CliContext } from '../context.ts';
import { outputFlags } from '../flags.ts';
import { type OutputFlags, runCommand } from '../output.ts';

interface InitFlags extends OutputFlags {
  readonly file: string;
  readonly name?: string;
}

const isThere = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'EEXIST';

const initExists = (file: string, cause: unknown): Failure =>
  new Failure({
    code: 'init-exists',
    exit: EXIT.usage,
    what: `${file} is there already`,
    why: 'init never writes over a file',
    state: 'Nothing was changed.',
    next: 'Edit it, or name another with --file FILE.',
    cause,
  });

export const initCommand = buildCommand<InitFlags, [], CliContext>({
  func(flags) {
    return runCommand(this, flags, async (printer) => {
      const [{ writeFile }, path, { exampleConfig }, { configJsonSchema }] = await Promise.all([
        import('node:fs/promises'),
        import('node:path'),
        import('../../config/example.ts'),
        import('../../config/schema.ts'),
      ]);
      const file = path.resolve(this.cwd, flags.file);
      const schema = path.join(path.dirname(file), 'fairlead.schema.json');
      try {
        await writeFile(file, exampleConfig(flags.name ?? 'prod'), { flag: 'wx' });
      } catch (error) {
        if (isThere(error)) throw initExists(flags.file, error);
        throw error;
      }
      // The first line of the file names it, for editors. One that is there is somebody's.
      await writeFile(schema, `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`, { flag: 'wx' }).catch(
        (error: unknown) => {
          if (!isThere(error)) throw error;
        },
      );
      printer.text(`${flags.file} is written. Edit name, address and references, then look: fairlead plan`);
      printer.json({ kind: 'Initialized', file, schema });
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
      'Writes a commented fairlead.yaml, and its JSON Schema beside it for editors. Never writes over a file.\n\nExample:\n  fairlead init --name prod',
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
