/** Rules of Kubernetes for names and values of labels, in Talos' words. */

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const RESERVED = ['talos.dev/owned-annotations', 'talos.dev/owned-labels', 'talos.dev/owned-taints'];
const ANNOTATIONS_LIMIT = 256 * 1024;

type Texts = Readonly<Record<string, string>>;

const sorted = (texts: Texts): readonly string[] => Object.keys(texts).toSorted();

/** undefined = the text is a DNS subdomain. */
export function subdomainProblem(text: string): string | undefined {
  if (text.length > 253) return `domain name length exceeds limit of 253: ${JSON.stringify(text)}`;
  return SUBDOMAIN.test(text) ? undefined : `domain doesn't match required format: ${JSON.stringify(text)}`;
}

function nameProblem(text: string): string | undefined {
  const parts = text.split('/');
  const shown = JSON.stringify(text);
  const [prefix, name = ''] = parts.length === 1 ? [undefined, parts[0]] : parts;
  if (parts.length > 2) return `invalid format: too many slashes: ${shown}`;
  if (prefix === '') return `prefix cannot be empty: ${shown}`;
  const problem = prefix === undefined ? undefined : subdomainProblem(prefix);
  if (problem !== undefined) return `prefix ${JSON.stringify(prefix)} is invalid: ${problem}`;
  if (name === '') return `name cannot be empty: ${shown}`;
  if (name.length > 63) return `name is too long: ${shown} (limit is 63)`;
  return NAME.test(name) ? undefined : `name ${JSON.stringify(name)} is invalid`;
}

function valueProblem(text: string): string | undefined {
  if (text.length > 63) return `label value length exceeds limit of 63: ${JSON.stringify(text)}`;
  return text === '' || NAME.test(text) ? undefined : `label value ${JSON.stringify(text)} is invalid`;
}

export const labelErrors = (labels: Texts): readonly string[] =>
  sorted(labels).flatMap((key) => [nameProblem(key) ?? [], valueProblem(labels[key] ?? '') ?? []].flat());

export function annotationErrors(annotations: Texts): readonly string[] {
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return [
    ...sorted(annotations).flatMap((key) =>
      [nameProblem(key) ?? [], RESERVED.includes(key) ? [`annotation ${JSON.stringify(key)} is reserved`] : []].flat(),
    ),
    ...(size > ANNOTATIONS_LIMIT ? [`total annotation size exceeds limit of ${ANNOTATIONS_LIMIT} bytes`] : []),
  ];
}

/** Of a taint, the first thing that is wrong is told. */
export const taintErrors = (taints: Texts): readonly string[] =>
  sorted(taints).flatMap((key) => {
    const text = taints[key] ?? '';
    const colon = text.indexOf(':');
    const effect = colon === -1 ? text : text.slice(colon + 1);
    return (
      nameProblem(key) ??
      (EFFECTS.includes(effect) ? undefined : `invalid taint effect: ${JSON.stringify(effect)}`) ??
      (colon === -1 ? undefined : valueProblem(text.slice(0, colon))) ??
      []
    );
  });

/** How Talos frames the mistakes of one group of labels. */
export const framed = (what: string, errors: readonly string[]): readonly string[] =>
  errors.length === 0
    ? []
    : [
        `${what}: ${errors.length === 1 ? '1 error' : `${errors.length} errors`} occurred:\n\t* ${errors.join('\n\t* ')}\n\n`,
      ];
