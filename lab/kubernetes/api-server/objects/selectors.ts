import type { Resource } from './resources.ts';
import { badRequest } from './status.ts';
import { stringAt, type KubeObject } from './types.ts';

export type Selector = (object: KubeObject) => boolean;

export const everything: Selector = () => true;

/** Reads `a=b,c!=d,e in (f,g),!h,i` as kubectl writes it. */
export function labelSelector(text: string): Selector {
  if (text.trim() === '') return everything;
  const requirements = split(text).map(labelRequirement);
  return (object) => requirements.every((holds) => holds(object.metadata.labels ?? {}));
}

/** Commas separate requirements, except inside brackets. */
function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const letter of text) {
    if (letter === '(') depth += 1;
    if (letter === ')') depth -= 1;
    if (letter === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += letter;
  }
  return [...parts, part];
}

type LabelRequirement = (labels: Readonly<Record<string, string>>) => boolean;

const NAME = String.raw`[A-Za-z0-9](?:[-A-Za-z0-9_./]*[A-Za-z0-9])?`;
const VALUE = String.raw`(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?`;
const setBased = new RegExp(String.raw`^\s*(${NAME})\s+(in|notin)\s*\(([^()]*)\)\s*$`);
const equality = new RegExp(String.raw`^\s*(${NAME})\s*(==|=|!=)\s*(${VALUE})\s*$`);
const existence = new RegExp(String.raw`^\s*(!?)\s*(${NAME})\s*$`);

function labelRequirement(text: string): LabelRequirement {
  const inSet = setBased.exec(text);
  if (inSet !== null) {
    const [, name = '', operator, list = ''] = inSet;
    const values = list.split(',').map((value) => value.trim());
    return operator === 'in'
      ? (labels) => labels[name] !== undefined && values.includes(labels[name])
      : (labels) => labels[name] === undefined || !values.includes(labels[name]);
  }
  const equal = equality.exec(text);
  if (equal !== null) {
    const [, name = '', operator, value = ''] = equal;
    return operator === '!=' ? (labels) => labels[name] !== value : (labels) => labels[name] === value;
  }
  const exists = existence.exec(text);
  if (exists !== null) {
    const [, not, name = ''] = exists;
    return not === '!' ? (labels) => labels[name] === undefined : (labels) => labels[name] !== undefined;
  }
  throw badRequest(`unable to parse requirement: ${JSON.stringify(text.trim())} is no label requirement`);
}

/** Fields that a selector may name, per resource; the first two everywhere. */
const fields: Readonly<Record<string, readonly string[]>> = {
  nodes: ['spec.unschedulable'],
  namespaces: ['status.phase'],
  secrets: ['type'],
  pods: ['spec.nodeName', 'status.phase', 'spec.serviceAccountName', 'status.podIP'],
  events: [
    'involvedObject.kind',
    'involvedObject.namespace',
    'involvedObject.name',
    'involvedObject.uid',
    'involvedObject.apiVersion',
    'involvedObject.resourceVersion',
    'involvedObject.fieldPath',
    'reason',
    'reportingComponent',
    'source',
    'type',
  ],
};

/** Reads `metadata.name=x,status.phase!=Active`. */
export function fieldSelector(text: string, resource: Resource): Selector {
  if (text.trim() === '') return everything;
  const known = [
    'metadata.name',
    ...(resource.namespaced ? ['metadata.namespace'] : []),
    ...(fields[resource.plural] ?? []),
  ];
  const requirements = text.split(',').map((part) => {
    const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(part.trim());
    const [, path, operator, value = ''] = match ?? [];
    if (path === undefined) throw badRequest(`invalid selector: '${text}'; can't understand '${part}'`);
    if (!known.includes(path)) {
      const names = known.map((name) => JSON.stringify(name)).join(', ');
      throw badRequest(`${JSON.stringify(path)} is not a known field selector: only ${names}`);
    }
    const wanted = value.replaceAll(/\\([\\,=])/g, '$1');
    return (object: KubeObject): boolean =>
      ((stringAt(object, ...path.split('.')) ?? '') === wanted) === (operator !== '!=');
  });
  return (object) => requirements.every((holds) => holds(object));
}
