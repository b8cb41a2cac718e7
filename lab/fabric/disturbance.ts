import type { Disturbance, Party } from './types.ts';

/** What befalls the bytes of one direction. */
export interface LaneRule {
  readonly blocked: boolean;
  readonly ms: number;
  /** 0 to 1. */
  readonly loss: number;
}

/** What befalls one connection. */
export interface Shape {
  /** Whether a new one comes about now. */
  readonly admitted: boolean;
  /** From whoever dialled to the machine, and back. */
  readonly up: LaneRule;
  readonly down: LaneRule;
}

export const OPEN_LANE: LaneRule = { blocked: false, ms: 0, loss: 0 };

export const isOpen = (rule: LaneRule): boolean => !rule.blocked && rule.ms === 0 && rule.loss === 0;

/** What the rules make of a connection from `dialer` to a port of `host`; undefined: nothing at all. */
export function shapeOf(rules: readonly Disturbance[], dialer: Party, host: Party, port: number): Shape | undefined {
  const up = laneOf(rules, dialer, host);
  const down = laneOf(rules, host, dialer);
  const closed = rules.some(
    (rule) =>
      rule.kind === 'firewall' &&
      rule.node === host &&
      dialer !== host &&
      (rule.port === undefined || rule.port === port) &&
      (rule.from === undefined || rule.from === dialer),
  );
  if (isOpen(up) && isOpen(down) && !closed) return undefined;
  // A handshake needs both ways.
  return { admitted: !closed && !up.blocked && !down.blocked, up, down };
}

/** Whether a rule befalls a connection from `dialer` to a port of `host`, open already or not, in either direction. */
export function concerns(rule: Disturbance, dialer: Party, host: Party, port: number, open: boolean): boolean {
  if (dialer === host) return false;
  if (rule.kind === 'firewall')
    return (
      !open &&
      rule.node === host &&
      (rule.port === undefined || rule.port === port) &&
      (rule.from === undefined || rule.from === dialer)
    );
  return (rule.from === dialer && rule.to === host) || (rule.from === host && rule.to === dialer);
}

function laneOf(rules: readonly Disturbance[], sender: Party, receiver: Party): LaneRule {
  let lane = OPEN_LANE;
  for (const rule of rules) {
    if (rule.kind === 'firewall' || sender === receiver) continue;
    const forth = rule.from === sender && rule.to === receiver;
    const back = !rule.oneWay && rule.from === receiver && rule.to === sender;
    if (!forth && !back) continue;
    if (rule.kind === 'partition') lane = { ...lane, blocked: true };
    if (rule.kind === 'latency') lane = { ...lane, ms: lane.ms + rule.ms };
    // Lost by one or by another.
    if (rule.kind === 'loss') lane = { ...lane, loss: 1 - (1 - lane.loss) * (1 - rule.share) };
  }
  return lane;
}

/** First waits of Linux' TCP before it sends again: a SYN after 1 s, data after 200 ms; each further wait is twice as long. */
export const RESEND = { synMs: 1_000, dataMs: 200, tries: 7 } as const;

/**
 * How late something comes that may be lost on its way, each time anew: TCP sends it again. `draws` yields numbers
 * from 0 to 1; a number below the loss is a loss.
 */
export function resentAfter(loss: number, firstMs: number, draw: () => number): number {
  let late = 0;
  for (let n = 0; n < RESEND.tries && loss > 0 && draw() < loss; n += 1) late += firstMs * 2 ** n;
  return late;
}
