import { Failure, textOf } from '../base/failure.ts';
import { waitFor } from '../base/retry.ts';
import { sha256 } from '../base/digest.ts';
import type { Action, Change } from '../model/plan.ts';
import type { TalosClient } from '../systems/talos/types.ts';
import { type ApiServer, awaitNewApiServer, contextAt, shake } from './api-server.ts';
import { isPassing, patiently } from './patiently.ts';
import { watchRestart } from './restart-watch.ts';
import type { Run } from './run.ts';
import { TIMINGS } from './timings.ts';
import { awaitVip } from './vip.ts';
import { awaitVipElsewhere } from './vip-out.ts';

type NodeAction = Extract<Action, { kind: 'node-config' }>;

/** Changes one node's machine config and waits for the effect. Gives the evidence that it worked. */
export async function changeNode(
  run: Run,
  change: Change,
  action: NodeAction,
  apiServerPort: number,
): Promise<readonly string[]> {
  const talos = run.systems.talos(action.address);
  await stillThere(run, talos, change, action);
  if (action.role === 'worker') {
    await send(run, talos, action);
    return [...(await readBack(run, talos, action)), ...(await awaitWorker(run, talos, action))];
  }
  if (action.vip !== undefined) {
    await send(run, talos, action);
    const written = await readBack(run, talos, action);
    const settled =
      action.step === 'vip-out' ? awaitVipElsewhere(run, action, action.vip) : awaitVip(run, action, action.vip);
    return [...written, ...(await settled)];
  }
  const server: ApiServer = { node: action.node, address: action.address, port: apiServerPort };
  const [before, watch] = await Promise.all([
    shake(run, server),
    watchRestart(contextAt(run.systems.kubeContext, action.address, apiServerPort), 3_000),
  ]);
  try {
    await send(run, talos, action);
    const written = await readBack(run, talos, action);
    run.reporter.report({
      kind: 'waiting',
      what: `the API server of ${action.node} to serve ${action.reissues ? 'the new' : 'its'} certificate and be ready`,
    });
    const serial = before.kind === 'served' ? before.serial : undefined;
    return [
      ...written,
      ...(await awaitNewApiServer(run, server, { serial, watch, reissues: action.reissues }, action.names)),
    ];
  } finally {
    watch.close();
  }
}

/** The API has no compare-and-set: the text is read again right before it is replaced. */
async function stillThere(run: Run, talos: TalosClient, change: Change, action: NodeAction): Promise<void> {
  const active = await patiently(run, () => talos.machineConfig('active', run.signal));
  const now = active === undefined ? undefined : sha256(active.text.reveal());
  if (now === action.sha256Before) return;
  throw new Failure({
    code: 'config-moved',
    exit: 4,
    what: `The machine config of ${action.node} was changed by someone else`,
    why: `it was ${action.sha256Before.slice(0, 12)} when "${change.what}" was planned and is ${now?.slice(0, 12) ?? 'not there'} now`,
    state: 'This change was not made; those before it stand.',
    next: 'Find out who else works on the cluster, then run fairlead plan again.',
  });
}

async function send(run: Run, talos: TalosClient, action: NodeAction): Promise<void> {
  const { clock } = run.systems;
  const options = {
    everyMs: 500,
    timeoutMs: TIMINGS.applyBusyMs,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  };
  let busy: unknown;
  const sent = await waitFor(clock, options, async () => {
    try {
      // Once sent it is not taken back: an abort is heeded before and after, not in between.
      await talos.applyConfiguration(action.text, 'no-reboot');
      return true;
    } catch (error) {
      busy = error;
      if (/another apply configuration/i.test(textOf(error))) return undefined;
      // The answer was lost: whether it happened is seen on the node, and only where it did not it is sent again.
      if (!isPassing(error)) throw refused(action, error);
      const active = await patiently(run, () => talos.machineConfig('active', run.signal));
      const now = active === undefined ? undefined : sha256(active.text.reveal());
      if (now === sha256(action.text.reveal())) return true;
      if (now !== action.sha256Before) throw refused(action, error);
      return undefined;
    }
  });
  if (sent === undefined) throw refused(action, busy);
}

const refused = (action: NodeAction, error: unknown): Failure =>
  new Failure({
    code: 'config-refused',
    what: `${action.node} did not take the new machine config`,
    why: textOf(error),
    state: `Unless the connection broke in between, ${action.node} is as it was; the changes before stand.`,
    next: 'Run `fairlead plan` to see what is left, correct the cause, and apply again.',
    cause: error,
  });

async function readBack(run: Run, talos: TalosClient, action: NodeAction): Promise<readonly string[]> {
  const wanted = sha256(action.text.reveal());
  const [active, persistent] = await Promise.all([
    patiently(run, () => talos.machineConfig('active', run.signal)),
    patiently(run, () => talos.machineConfig('persistent', run.signal)),
  ]);
  const digests = [active, persistent].map((config) => (config === undefined ? 'none' : sha256(config.text.reveal())));
  if (digests.every((digest) => digest === wanted)) return [`active and persistent config are ${wanted.slice(0, 12)}`];
  throw new Failure({
    code: 'config-not-written',
    what: `${action.node} took the machine config but does not have it`,
    why: `sent ${wanted.slice(0, 12)}, active is ${digests[0]?.slice(0, 12)}, persistent ${digests[1]?.slice(0, 12)}`,
    state: `${action.node} runs a config that fairlead did not send.`,
    next: 'Find out who else changes it, then run fairlead plan again.',
  });
}

async function awaitWorker(run: Run, talos: TalosClient, action: NodeAction): Promise<readonly string[]> {
  const options = {
    everyMs: TIMINGS.lookEveryMs,
    timeoutMs: TIMINGS.gatesMs,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  };
  const ready = await waitFor(run.systems.clock, options, async () => {
    const resource = await patiently(run, () =>
      talos.get('runtime', 'MachineStatuses.runtime.talos.dev', 'machine', run.signal),
    );
    const spec = resource?.spec;
    if (typeof spec !== 'object' || spec === null || !('stage' in spec) || spec.stage !== 'running') return undefined;
    return 'status' in spec &&
      typeof spec.status === 'object' &&
      spec.status !== null &&
      'ready' in spec.status &&
      spec.status.ready === true
      ? true
      : undefined;
  });
  if (ready === true) return [`${action.node} is running and ready`];
  throw new Failure({
    code: 'worker-not-ready',
    what: `${action.node} did not become ready with its new machine config`,
    why: `its machine status did not say running and ready within ${TIMINGS.gatesMs / 1000} s`,
    state: `The new endpoint is on ${action.node}; the other workers were not touched after it.`,
    next: `Look at it (talosctl -n ${action.address} health), then run fairlead apply again.`,
  });
}
