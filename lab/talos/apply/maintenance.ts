import { Code, ConnectError } from '@connectrpc/connect';
import type { Machine } from '../machine.ts';
import type { ApplyPorts, ApplyRequest, ApplyResult } from './apply.ts';
import { persist } from './persist.ts';

/**
 * ApplyConfiguration where the machine has no config yet: it boots on with the one that is applied, without a reboot, as
 * its disk holds Talos already. Staged (1.13 and later), it waits for the next boot.
 */
export async function applyInMaintenance(
  machine: Machine,
  ports: Pick<ApplyPorts, 'configured'>,
  request: ApplyRequest,
): Promise<ApplyResult> {
  const { text, mode, dryRun } = request;
  const older = /^v1\.1[12]\./.test(machine.ports.version);
  if (older && (mode === 'no-reboot' || mode === 'staged')) {
    const why = `apply configuration --mode='${mode}' is not supported in maintenance mode`;
    throw new ConnectError(why, Code.Unimplemented);
  }
  const verdict = machine.derive(text);
  if (verdict.kind === 'refused') {
    const why = older ? `configuration validation failed: ${verdict.message}` : verdict.message;
    throw new ConnectError(why, Code.InvalidArgument);
  }
  const { warnings } = verdict;
  const resolved = mode === 'reboot' || mode === 'auto' ? 'no-reboot' : mode;
  const what =
    resolved === 'staged'
      ? 'Staged configuration to be applied after the next reboot'
      : 'Applied configuration without a reboot';
  if (dryRun) {
    const state = 'Node is running in maintenance mode and does not have a config yet.';
    const details = older ? `Dry run summary:\n${state}` : `Dry run summary:\n${what} (skipped in dry-run).\n${state}`;
    return { mode: resolved, warnings: older ? warnings : [], details };
  }
  machine.log(`apply config request: mode ${mode}`);
  if (resolved !== 'try') await persist(machine, text);
  if (resolved !== 'staged') ports.configured(text);
  return { mode: resolved, warnings, details: older ? '' : what };
}
