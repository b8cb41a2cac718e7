import * as z from 'zod';
import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure } from '../../src/base/failure.ts';
import type { Fabric } from '../fabric/types.ts';
import type { Audit, RequestRecord } from './audit.ts';
import { killNow } from './processes.ts';

const cutSchema = z.strictObject({
  pid: z.int().positive(),
  /** Field 22 of /proc/PID/stat: a pid that was given anew is somebody else. */
  startTime: z.string().min(1),
  /** The side effect at which it is killed, from 1 on; 0 = never, they are only counted. */
  after: z.int().nonnegative(),
  /** `before-reply`: it never hears that it was done. `after-reply`: it hears it, and does nothing more in the world. */
  moment: z.enum(['before-reply', 'after-reply']).default('before-reply'),
  /** Side effects whose path has one of these in it are not counted: the beats of a prober come by the clock. */
  except: z.array(z.string()).default([]),
});

/** Which process is killed, and when. Side effects: `write: true` requests by `fairlead`, of every system of the world. */
export type Cut = z.input<typeof cutSchema>;

export interface CutReport {
  readonly id: string;
  /** Counted so far. */
  readonly sideEffects: number;
  /** undefined: it lives, or has ended by itself. */
  readonly killed: { readonly at: string; readonly effect: RequestRecord } | undefined;
}

/** Kills a client at its k-th side effect, so that a test knows what was done and what was not. */
export interface Cuts {
  arm(cut: unknown): Promise<CutReport>;
  report(id: string): CutReport;
  /** Forgets it and tells how far it came. */
  disarm(id: string): CutReport;
}

interface Armed {
  report: CutReport;
  end(): void;
}

/** The client has its reply within this time, and has not thought of its next call. */
const REPLY_MS = 15;
const KUBERNETES_PORT = 6443;

/**
 * Every system records a request before its reply leaves, so a listener of the audit stands between the two. A real API server
 * does not: there the fabric lets an answer pass only when the server's audit log was read after it came.
 */
export function createCuts(ports: {
  readonly clock: Clock;
  readonly audit: Audit;
  readonly fabric: Fabric;
  readonly realApiServer: boolean;
}): Cuts {
  const { clock, audit, fabric, realApiServer } = ports;
  const armed = new Map<string, Armed>();
  let [last, holding] = [0, 0];

  const hold = (): (() => void) => {
    if (!realApiServer) return () => {};
    holding += 1;
    fabric.answersWait?.(KUBERNETES_PORT, () => audit.caughtUp());
    return () => {
      holding -= 1;
      if (holding === 0) fabric.answersWait?.(KUBERNETES_PORT, undefined);
    };
  };
  const find = (id: string): Armed => {
    const found = armed.get(id);
    if (found !== undefined) return found;
    throw wrong(`there is none with the id ${id}`);
  };

  return {
    async arm(given) {
      const parsed = cutSchema.safeParse(given);
      if (!parsed.success) throw wrong(z.prettifyError(parsed.error));
      const { pid, startTime, after, moment, except } = parsed.data;
      if (realApiServer && fabric.answersWait === undefined && moment === 'before-reply')
        throw wrong('the answers of a real API server cannot be held back in network namespaces');
      last += 1;
      const id = `k${last}`;
      const release = hold();
      const kill = (effect: RequestRecord): void => {
        if (entry.report.killed !== undefined || !killNow({ pid, startTime })) return;
        entry.report = { ...entry.report, killed: { at: clock.wall().toISOString(), effect } };
      };
      let at: RequestRecord | undefined;
      const deaf = audit.listen((record) => {
        if (!record.write || record.by !== 'fairlead' || except.some((part) => record.path.includes(part))) return;
        // It was faster than its end: the reply was heard, and this call is not answered any more.
        if (at !== undefined) return kill(at);
        entry.report = { ...entry.report, sideEffects: entry.report.sideEffects + 1 };
        if (entry.report.sideEffects !== after) return;
        at = record;
        if (moment === 'before-reply') kill(record);
        else void clock.sleep(REPLY_MS).then(() => kill(record));
      });
      const entry: Armed = {
        report: { id, sideEffects: 0, killed: undefined },
        end() {
          deaf();
          release();
        },
      };
      armed.set(id, entry);
      return entry.report;
    },
    report: (id) => find(id).report,
    disarm(id) {
      const found = find(id);
      found.end();
      armed.delete(id);
      return found.report;
    },
  };
}

const wrong = (why: string): Failure =>
  new Failure({
    code: 'lab-cut',
    exit: EXIT.usage,
    what: 'The process cannot be killed at a side effect',
    why,
    state: 'Nothing was killed.',
    next: 'Name a process by pid and startTime (field 22 of /proc/PID/stat), and the side effect by its number in `after`.',
  });
