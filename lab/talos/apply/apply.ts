import { Code, ConnectError } from '@connectrpc/connect';
import type { ActiveConfig, Machine } from '../machine.ts';
import { configDifference } from './difference.ts';
import { canApplyImmediately, mainDocument, withImmediateParts } from './inputs.ts';
import { applyInMaintenance } from './maintenance.ts';
import { persist } from './persist.ts';

export type ApplyMode = 'reboot' | 'auto' | 'no-reboot' | 'staged' | 'try';

export interface ApplyRequest {
  readonly text: string;
  readonly mode: ApplyMode;
  readonly dryRun: boolean;
  readonly tryTimeoutMs: number;
}

export interface ApplyResult {
  readonly mode: ApplyMode;
  readonly warnings: readonly string[];
  readonly details: string;
}

export interface ApplyPorts {
  /** The active config has changed: the effects begin, after the reply. */
  readonly adopt: (before: ActiveConfig, after: ActiveConfig) => void;
  readonly reboot: () => void;
  /** A machine without a config has got one: it boots on with it, after the reply. */
  readonly configured: (text: string) => void;
}

const DETAILS: Readonly<Record<ApplyMode, string>> = {
  reboot: 'Applied configuration with a reboot',
  auto: 'Applied configuration without a reboot',
  'no-reboot': 'Applied configuration without a reboot',
  staged: 'Staged configuration to be applied after the next reboot',
  try: 'Applied configuration without a reboot',
};

export interface ConfigApplier {
  /** A config is active that will be reverted. */
  readonly trying: boolean;
  apply(request: ApplyRequest): Promise<ApplyResult>;
  /** Forgets a pending revert: the machine goes down, the tried config with it. */
  cancelRevert(): void;
}

/** ApplyConfiguration as the machine's Talos version does it. */
export function createApplier(machine: Machine, ports: ApplyPorts): ConfigApplier {
  let busy = false;
  let rebooting = false;
  let revert: AbortController | undefined;
  const waits = machine.ports.version.startsWith('v1.11.');
  const modern = !/^v1\.1[0-3]\./.test(machine.ports.version);

  const activate = (text: string): void => {
    const before = machine.active;
    const verdict = machine.derive(text);
    if (before === undefined || verdict.kind === 'refused') return;
    const after = { text, derived: verdict.derived, warnings: verdict.warnings };
    machine.active = after;
    machine.changed();
    ports.adopt(before, after);
  };

  const decide = (request: ApplyRequest, active: string): { readonly mode: ApplyMode; readonly why?: string } => {
    const { mode, text } = request;
    if (modern) {
      if (mode === 'reboot') {
        const text = 'the REBOOT mode is not supported, please use AUTO or NO_REBOOT modes instead';
        throw new ConnectError(text, Code.Unimplemented);
      }
      return { mode: mode === 'auto' ? 'no-reboot' : mode };
    }
    if (mode === 'staged' || mode === 'reboot' || canApplyImmediately(active, text)) {
      return { mode: mode === 'auto' ? 'no-reboot' : mode };
    }
    const difference = configDifference(mainDocument(active), withImmediateParts(active, text));
    const why = `this config change can't be applied in immediate mode\ndiff:\n${difference}`;
    if (mode === 'auto') return { mode: 'reboot', why };
    throw new ConnectError(why, Code.InvalidArgument);
  };

  const armRevert = (target: string, timeoutMs: number): void => {
    const mine = new AbortController();
    revert = mine;
    machine.ports.clock
      .sleep(timeoutMs, mine.signal)
      .then(() => {
        if (revert === mine) revert = undefined;
        machine.log('rolling back the configuration');
        activate(target);
      })
      .catch(() => {});
  };

  const applyLocked = async (request: ApplyRequest): Promise<ApplyResult> => {
    const active = machine.active;
    if (active === undefined) return applyInMaintenance(machine, ports, request);
    // First thing, even for a dry run or a config that does not parse.
    if (request.mode !== 'try') cancelRevert();
    const verdict = machine.derive(request.text);
    if (verdict.kind === 'refused') throw new ConnectError(verdict.message, Code.InvalidArgument);
    const { mode, why } = decide(request, active.text);
    const { warnings } = verdict;
    if (request.dryRun) {
      const difference = configDifference(active.text, request.text);
      const details = `Dry run summary:\n${DETAILS[mode]} (skipped in dry-run).\nConfig diff:\n\n${difference}`;
      return { mode, warnings: [], details };
    }
    machine.log(`apply config request: mode ${request.mode}${request.mode === mode ? '' : `(${mode})`}`);
    if (mode === 'try') {
      cancelRevert();
      activate(request.text);
      armRevert(active.text, request.tryTimeoutMs);
      const note = "The config is applied in 'try' mode and will be automatically reverted back in";
      return { mode, warnings, details: `${DETAILS.try}\n${note} ${goDuration(request.tryTimeoutMs)}` };
    }
    await persist(machine, request.text);
    if (mode === 'no-reboot') activate(request.text);
    if (mode === 'reboot') {
      rebooting = true;
      ports.reboot();
    }
    return { mode, warnings, details: DETAILS[mode] + (why === undefined ? '' : `: ${why}`) };
  };

  const cancelRevert = (): void => {
    revert?.abort();
    revert = undefined;
  };

  return {
    get trying() {
      return revert !== undefined;
    },
    async apply(request) {
      // Older releases let the second call wait for the first.
      while (busy && waits) await machine.ports.clock.sleep(10);
      if (busy) {
        throw new ConnectError('another apply configuration is already in progress', Code.FailedPrecondition);
      }
      if (rebooting && machine.ports.version.startsWith('v1.13.')) {
        const text = 'configuration was already applied and node is rebooting, cannot apply more configuration changes';
        throw new ConnectError(`${text} until next reboot`, Code.FailedPrecondition);
      }
      busy = true;
      try {
        return await applyLocked(request);
      } finally {
        busy = false;
      }
    },
    cancelRevert,
  };
}

/** As Go prints a duration: 1m0s, 1h0m0s, 500ms, 1.5s. */
export function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const [hours, minutes] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60];
  const seconds = `${(ms % 60_000) / 1000}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}
