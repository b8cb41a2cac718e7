import { EXIT, Failure } from '../../src/base/failure.ts';
import { CATALOGUE, ruleOf } from './catalogue.ts';
import type { ParameterRule, Parameters, Value } from './types.ts';

/** What the world knows, for the check of names. */
export interface Names {
  readonly nodes: readonly string[];
  /** Load balancers; one that is called as a node is cannot be named. */
  readonly balancers?: readonly string[];
}

export interface FaultSpec {
  readonly kind: string;
  readonly parameters: Parameters;
}

/** Reads what a person or a program asked for against the catalogue; throws a Failure that says what would be right. */
export function readFault(kind: string, given: Readonly<Record<string, unknown>>, names: Names): FaultSpec {
  const rule = ruleOf(kind);
  if (rule === undefined)
    throw wrong(`there is no fault "${kind}"`, `The faults are: ${CATALOGUE.map((r) => r.kind).join(', ')}.`);
  const parameters: Record<string, Value> = {};
  for (const name of Object.keys(given)) {
    if (!rule.parameters.some((p) => p.name === name))
      throw wrong(
        `${kind} takes no --${name}`,
        `It takes ${rule.parameters.map((p) => `--${p.name}`).join(', ')}: ${rule.brief}.`,
      );
  }
  for (const parameter of rule.parameters) {
    const raw = given[parameter.name];
    if (raw === undefined || raw === null) {
      if (parameter.required) throw wrong(`${kind} needs --${parameter.name}`, `Give ${parameter.brief}.`);
      if (parameter.default !== undefined) parameters[parameter.name] = parameter.default;
      continue;
    }
    const value = valueOf(parameter, raw, names);
    if (value === undefined)
      throw wrong(
        `--${parameter.name} ${JSON.stringify(raw)} is no ${FORMS[parameter.form]}`,
        `Give ${parameter.values?.join(' or ') ?? parameter.brief}${nodesHint(parameter, names)}.`,
      );
    parameters[parameter.name] = value;
  }
  if (kind === 'cloud-status' && !STATUSES.test(String(parameters['status'])))
    throw wrong(
      `the API never answers ${parameters['status']} as a refusal`,
      'Give 401, 403, 404, 409, 422, 423, 429 or 5xx.',
    );
  if (parameters['from'] !== undefined && parameters['from'] === parameters['to'])
    throw wrong(`--from and --to are both ${parameters['from']}`, 'Name two parties.');
  return { kind, parameters };
}

const STATUSES = /^(4(0[0-9]|1[0-9]|2[0-9])|5\d\d)$/;

const FORMS: Record<ParameterRule['form'], string> = {
  text: 'value it takes',
  whole: 'whole number above 0',
  duration: 'duration such as 500ms, 30s or 2m',
  glob: 'pattern',
  sender: 'sender',
  node: 'node of this lab',
  party: 'party of this lab',
  percent: 'share from 1 to 100',
  address: 'floating IP',
  yes: 'yes or no',
  offset: 'duration such as 90s or -5m',
};

function valueOf(rule: ParameterRule, raw: unknown, names: Names): Value | undefined {
  const text = String(raw).trim();
  if (text === '') return undefined;
  switch (rule.form) {
    case 'whole':
      return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined;
    case 'percent': {
      const share = Number(text.replace(/%$/, ''));
      return share > 0 && share <= 100 ? share : undefined;
    }
    case 'duration':
      return typeof raw === 'number' ? (raw > 0 ? raw : undefined) : durationOf(text);
    case 'offset': {
      const ms = durationOf(text.replace(/^[+-]/, ''));
      return ms === undefined ? undefined : text.startsWith('-') ? -ms : ms;
    }
    case 'yes':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    case 'node':
      return names.nodes.includes(text) ? text : undefined;
    case 'party':
      return ['client', 'cloud', 'dns', ...names.nodes, ...(names.balancers ?? [])].includes(text) ? text : undefined;
    case 'text':
    case 'glob':
    case 'sender':
    case 'address':
      return rule.values === undefined || rule.values.includes(text) ? text : undefined;
  }
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds of `500ms`, `30s`, `2m`, `1h`; a bare number is seconds. */
function durationOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  if (match === null) return undefined;
  const ms = Number(match[1]) * (UNITS[match[2] ?? 's'] ?? 1_000);
  return ms > 0 ? ms : undefined;
}

function nodesHint(rule: ParameterRule, { nodes, balancers = [] }: Names): string {
  if (rule.form !== 'node' && rule.form !== 'party') return '';
  const others = rule.form === 'party' && balancers.length > 0 ? `; load balancers: ${balancers.join(', ')}` : '';
  return ` (nodes: ${nodes.join(', ')}${others})`;
}

const wrong = (why: string, next: string): Failure =>
  new Failure({
    code: 'lab-fault-usage',
    exit: EXIT.usage,
    what: 'The fault was not set',
    why,
    state: 'The lab is as it was.',
    next: `${next} \`fairlead lab fault list\` shows all.`,
  });
