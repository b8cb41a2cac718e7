import { ApiError, invalidInput } from './errors.ts';

export type Labels = Readonly<Record<string, string>>;

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

export function isLabelKey(key: string): boolean {
  const slash = key.indexOf('/');
  if (slash === -1) return NAME.test(key);
  const prefix = key.slice(0, slash);
  return PREFIX.test(prefix) && prefix !== 'hetzner.cloud' && NAME.test(key.slice(slash + 1));
}

export const isLabelValue = (value: string): boolean => value === '' || NAME.test(value);

/** Refuses what Hetzner refuses: keys and values have a fixed alphabet, and one prefix is its own. */
export function checkLabels(labels: Labels): Labels {
  for (const [key, value] of Object.entries(labels)) {
    if (!isLabelKey(key)) throw invalidInput('labels', `label key '${key}' is not correctly formatted`);
    if (!isLabelValue(value)) throw invalidInput('labels', `label value '${value}' is not correctly formatted`);
  }
  return labels;
}

/** What `!=` and `notin` make of labels that do not have the key. */
export type MissingKey = 'matches' | 'fails';

type Requirement = (labels: Labels) => boolean;

/**
 * A label selector: requirements joined by commas (all must hold): `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`,
 * `k notin (a,b)`. As in Kubernetes, `!=` and `notin` also match where the key is missing, unless told otherwise.
 */
export function parseSelector(selector: string, missing: MissingKey = 'matches'): Requirement {
  // A comma inside parentheses belongs to a list of values.
  const parts = selector.split(/,(?![^(]*\))/).map((part) => part.trim());
  const all = parts.filter((part) => part !== '').map((part) => parseRequirement(part, missing));
  return (labels) => all.every((requirement) => requirement(labels));
}

function parseRequirement(text: string, missing: MissingKey): Requirement {
  const fits = (labels: Labels, key: string): boolean => missing === 'matches' || own(labels, key) !== undefined;
  const list = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(text);
  if (list !== null) {
    const [, name = '', operator, members = ''] = list;
    const key = keyOf(name);
    const values = new Set(members.split(',').map((value) => valueOf(value.trim())));
    const within: Requirement = (labels) => values.has(own(labels, key) ?? '') && own(labels, key) !== undefined;
    return operator === 'in' ? within : (labels) => !within(labels) && fits(labels, key);
  }
  const comparison = /^([^!=\s]+)\s*(==|!=|=)\s*([^!=\s]*)$/.exec(text);
  if (comparison !== null) {
    const [, name = '', operator, wanted = ''] = comparison;
    const key = keyOf(name);
    const value = valueOf(wanted);
    return operator === '!='
      ? (labels) => own(labels, key) !== value && fits(labels, key)
      : (labels) => own(labels, key) === value;
  }
  if (text.startsWith('!')) {
    const key = keyOf(text.slice(1).trim());
    return (labels) => own(labels, key) === undefined;
  }
  const key = keyOf(text);
  return (labels) => own(labels, key) !== undefined;
}

const own = (labels: Labels, key: string): string | undefined => (Object.hasOwn(labels, key) ? labels[key] : undefined);

function keyOf(text: string): string {
  if (isLabelKey(text)) return text;
  throw malformed();
}

function valueOf(text: string): string {
  if (isLabelValue(text)) return text;
  throw malformed();
}

const malformed = (): ApiError => invalidInput('label_selector', 'label selector is not correctly formatted');
