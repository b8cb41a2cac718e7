import { Failure } from '../base/failure.ts';
import { waitFor } from '../base/retry.ts';
import type { Action } from '../model/plan.ts';
import type { Run } from './run.ts';
import { TIMINGS } from './timings.ts';
import { awaitSettled, claimsOf } from './vip.ts';

type NodeAction = Extract<Action, { kind: 'node-config' }>;

/**
 * Waits for what taking a VIP entry out does. Where other control planes still have it, the address must be with one of them, routed and
 * answering; where this was the last, no control plane may have it on a link any more.
 */
export async function awaitVipElsewhere(run: Run, action: NodeAction, ip: string): Promise<readonly string[]> {
  if (action.others > 0) {
    run.reporter.report({ kind: 'waiting', what: `another control plane to take ${ip} over` });
    const settled = await awaitSettled(run, ip, action.node);
    if (settled.kind === 'settled') return settled.evidence;
    throw notLeft(action, ip, settled.last);
  }
  run.reporter.report({ kind: 'waiting', what: `${ip} to leave the link of ${action.node}` });
  const options = {
    everyMs: TIMINGS.lookEveryMs,
    timeoutMs: TIMINGS.gatesMs,
    ...(run.signal === undefined ? {} : { signal: run.signal }),
  };
  const gone = await waitFor(run.systems.clock, options, async () =>
    (await claimsOf(run, ip)).length === 0 ? true : undefined,
  );
  if (gone === true) return [`no control plane has ${ip} on a link`];
  throw notLeft(action, ip, `it is still on a link after ${TIMINGS.gatesMs / 1000} s`);
}

const notLeft = (action: NodeAction, ip: string, why: string): Failure =>
  new Failure({
    code: 'vip-not-moved',
    what: `The address ${ip} did not move away from ${action.node}`,
    why,
    state: `The VIP entry is out of the machine config of ${action.node}; the other nodes are as they were.`,
    next: `Look at Talos' own words (talosctl -n ${action.address} dmesg | grep -i vip), then run the same command again.`,
  });
