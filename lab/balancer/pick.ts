/** A target as the choice between them sees it. */
export interface Candidate {
  readonly key: string;
  readonly connections: number;
}

/**
 * Chooses where the next connection goes. `last` is the key chosen before: round robin goes on behind it, in the order of
 * the targets, also when that one is gone (then from the first). Least connections takes the target with the fewest, and
 * among equals goes round.
 */
export function pickTarget<T extends Candidate>(
  algorithm: 'round_robin' | 'least_connections',
  candidates: readonly T[],
  last: string | undefined,
): T | undefined {
  const fewest = Math.min(...candidates.map((candidate) => candidate.connections));
  const behind = candidates.findIndex((candidate) => candidate.key === last) + 1;
  const round = [...candidates.slice(behind), ...candidates.slice(0, behind)];
  return algorithm === 'round_robin' ? round[0] : round.find((candidate) => candidate.connections === fewest);
}
