import { parseAllDocuments } from 'yaml';

type Tree = { [key: string]: unknown };

/**
 * Whether two machine configs say the same but for what fairlead itself adds in phase 2: names of certificates, the issuer and the
 * audiences of tokens. Comments and order of keys do not count.
 */
export const sameButNamesAndIssuer = (left: string, right: string): boolean =>
  canonical(bare(left)) === canonical(bare(right));

/** The order of keys says nothing. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) =>
    isTree(part) ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))) : part,
  );

const bare = (text: string): unknown[] => {
  const documents = parseAllDocuments(text);
  return (Array.isArray(documents) ? documents : [])
    .map((document) => document.toJS() as unknown)
    .filter((value) => value !== null && value !== undefined)
    .map(stripped);
};

const PATHS: readonly (readonly string[])[] = [
  ['cluster', 'apiServer', 'certSANs'],
  ['cluster', 'apiServer', 'extraArgs', 'service-account-issuer'],
  ['cluster', 'apiServer', 'extraArgs', 'api-audiences'],
  ['machine', 'certSANs'],
  ['certExtraSANs'],
  ['extraArgs', 'service-account-issuer'],
  ['extraArgs', 'api-audiences'],
  ['accepted', 'audiences'],
];

function stripped(value: unknown): unknown {
  if (!isTree(value)) return value;
  for (const path of PATHS) remove(value, path);
  return value;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Takes a key out, and whatever holds nothing after that. */
function remove(tree: Tree, [key, ...rest]: readonly string[]): void {
  if (key === undefined || !(key in tree)) return;
  if (rest.length === 0) {
    delete tree[key];
    return;
  }
  const below = tree[key];
  if (isTree(below)) remove(below, rest);
  if (below === null || (isTree(below) && Object.keys(below).length === 0)) delete tree[key];
}
