import { textAt } from './access.ts';
import type { ConfigDocument } from './documents.ts';
import { compileSelector } from './link-selector.ts';
import type { NodeFacts } from './types.ts';

type Link = NodeFacts['links'][number];

/**
 * Aliases that LinkAliasConfig documents give: a fixed name must match exactly one link, else there is a warning and no
 * alias; a name that ends in `%d` numbers all that match. Links that are not hardware are left out.
 */
export function linkAliases(
  documents: readonly ConfigDocument[],
  links: readonly Link[],
  warnings: string[],
): ReadonlyMap<string, Link> {
  const aliases = new Map<string, Link>();
  for (const { name, value } of documents.filter(({ kind }) => kind === 'LinkAliasConfig')) {
    const selector = compileSelector(textAt(value, 'selector', 'match') ?? '');
    // Refused by validation, so that this is never reached with one.
    if ('error' in selector) continue;
    const matching = links.filter((link) => link.busPath !== undefined && selector.matches(link));
    if (name.endsWith('%d')) {
      for (const [index, link] of matching.entries()) aliases.set(name.replace(/%d$/, String(index)), link);
    } else if (matching.length === 1 && matching[0] !== undefined) aliases.set(name, matching[0]);
    else warnings.push(`link alias ${name} matches ${matching.length} links: no alias`);
  }
  return aliases;
}
