/**
 * Something read from the world, or the reason why it could not be. Unknown is a value of its own and never a default: whoever
 * decides must say what follows from not knowing.
 */
export type Fact<T> =
  | { readonly kind: 'known'; readonly value: T; readonly source: string; readonly at: string }
  | { readonly kind: 'unknown'; readonly why: string; readonly source: string };

/** `at` is an RFC 3339 time of the observer's calendar. */
export const known = <T>(value: T, source: string, at: string): Fact<T> => ({ kind: 'known', value, source, at });

export const unknown = (why: string, source: string): Fact<never> => ({ kind: 'unknown', why, source });

/** The value where it is known. The caller decides what its absence means. */
export const valueOf = <T>(fact: Fact<T>): T | undefined => (fact.kind === 'known' ? fact.value : undefined);

export const mapFact = <A, B>(fact: Fact<A>, f: (value: A) => B): Fact<B> =>
  fact.kind === 'known' ? { ...fact, value: f(fact.value) } : fact;
