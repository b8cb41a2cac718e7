/** What a pass of cuts came to; passes add up. */
export interface Tally {
  /** Side effects that were killed at. */
  sideEffects: number;
  cuts: number;
  /** Runs that went on from where one was killed, and came to their end. */
  resumed: number;
  /** Runs that refused, with the reason of each. */
  refused: number;
  readonly violations: string[];
  /** What was not cut for want of time, a sentence each. */
  readonly leftOut: string[];
}

export const noTally = (): Tally => ({ sideEffects: 0, cuts: 0, resumed: 0, refused: 0, violations: [], leftOut: [] });

export function add(into: Tally, other: Tally): void {
  into.sideEffects += other.sideEffects;
  into.cuts += other.cuts;
  into.resumed += other.resumed;
  into.refused += other.refused;
  into.violations.push(...other.violations);
  into.leftOut.push(...other.leftOut);
}

export type Say = (text: string) => void;
