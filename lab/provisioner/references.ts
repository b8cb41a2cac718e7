import { Failure } from '../../src/base/failure.ts';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Reads the provisioner's `env` file: `NAME=value` a line, nothing unquoted or expanded, `#` lines and empty lines
 * left out. Throws a Failure (code `provisioner-env`) with the line that is neither.
 */
export function parseEnv(text: string, file: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(0, at)).trim();
    if (!NAME.test(name)) {
      throw new Failure({
        code: 'provisioner-env',
        what: 'the provisioner cannot read its env file',
        why: `${file}:${index + 1}:1 is not NAME=value`,
        state: 'no machine config was rendered',
        next: `write one NAME=value a line into ${file}`,
      });
    }
    values.set(name, line.slice(at + 1).trimEnd());
  }
  return values;
}

/**
 * Replaces every `${NAME}` of a patch by its value. Lines that are nothing but a comment stay as they are.
 * Throws a Failure (code `provisioner-reference`) with file:line:column for a name that is not set, and for any other
 * spelling of a reference: a secret that silently became an empty string is found much later, on a node.
 */
export function resolveReferences(
  text: string,
  env: ReadonlyMap<string, string>,
  file: string,
  envFile: string,
): string {
  return text
    .split('\n')
    .map((line, index) =>
      line.trimStart().startsWith('#')
        ? line
        : line.replaceAll(/\$\{([^}]*)\}?/g, (reference: string, name: string, column: number) => {
            const value = reference.endsWith('}') && NAME.test(name) ? env.get(name) : undefined;
            if (value !== undefined) return value;
            throw new Failure({
              code: 'provisioner-reference',
              what: `the provisioner cannot resolve ${reference}`,
              why: `${file}:${index + 1}:${column + 1}: ${
                NAME.test(name) && reference.endsWith('}')
                  ? `${name} is not set in ${envFile}`
                  : 'only the spelling ${NAME} is understood'
              }`,
              state: 'no machine config was rendered, no node was created',
              next: `set the name in ${envFile}, or correct the patch`,
            });
          }),
    )
    .join('\n');
}
