import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { scenarios } from '../scenarios.ts';
import { ipv6Scenarios } from './ipv6-scenarios.ts';
import { latencyScenarios } from './latency-scenarios.ts';
import { netnsScenarios } from './scenarios.ts';
import { unshared } from './unshared.ts';

const execute = promisify(execFile);
const program = fileURLToPath(new URL('./scenario.test-program.ts', import.meta.url));
const how = unshared(process.env);
const reason = typeof how === 'string' ? ` (skipped: ${how})` : '';

describe.skipIf(typeof how === 'string')(`the fabric of network namespaces${reason}`, () => {
  test.each([...scenarios, ...netnsScenarios, ...ipv6Scenarios, ...latencyScenarios])(
    '$name',
    async ({ name }) => {
      if (typeof how === 'string') throw new Error(how);
      // Each in namespaces of its own, of which it is root; a scenario that fails says why on stderr, which the error holds.
      await execute('unshare', [...how.args, process.execPath, program, name], { timeout: 60_000 });
    },
    60_000,
  );

  // What an ordinary user has: root of a user namespace with one user and one group, whoever runs this test.
  test.each([scenarios[0], ...netnsScenarios.slice(0, 5), ipv6Scenarios[0], latencyScenarios[1]])(
    'without root: $name',
    async (scenario) => {
      if (typeof how === 'string' || scenario === undefined) throw new Error('no way into namespaces');
      const user = how.rootless ? [] : ['--user', '--map-root-user'];
      const args = [...how.args, ...user, process.execPath, program, scenario.name];
      await execute('unshare', args, { timeout: 60_000 });
    },
  );

  test('does not start in the network of the computer', async () => {
    if (typeof how === 'string') throw new Error(how);
    // In a network of its own, whose process 1 it shares it with: were it not refused, nothing outside would suffer.
    const own = [...how.args, '--pid', '--fork', '--mount-proc', process.execPath, program, scenarios[0]?.name ?? ''];
    const error = await execute('unshare', own, { timeout: 60_000 }).catch((thrown: unknown) => thrown);
    expect(String(error)).toContain('cannot start in the network of the computer');
  });
});
