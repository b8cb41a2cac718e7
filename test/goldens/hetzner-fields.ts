import { readFileSync } from 'node:fs';
import path from 'node:path';

/** What one field of one object has to be, and what each client does without it. */
export interface FieldRule {
  /** `a.b[].c` in parts: `a`, `b`, `[]`, `c`. */
  readonly steps: readonly string[];
  readonly name: string;
  readonly type: string;
  readonly orNull: boolean;
  /** By client column (A to D): what happens when it is null, absent, of another type; `.` is harmless. */
  readonly outcomes: Readonly<Record<Column, string>>;
}

export type Column = 'A' | 'B' | 'C' | 'D';
export type Fields = ReadonlyMap<string, readonly FieldRule[]>;

/** The column of the table a client is judged by: those without one of their own use the same library as A. */
export function columnOf(client: string, version: string): Column {
  if (client === 'hcloud-python') return version.startsWith('1.') ? 'D' : 'C';
  return client === 'hcloud' && version.startsWith('1.30.') ? 'B' : 'A';
}

/** Reads the table of fields (fields.md): by object, its fields. */
export function readFields(file = path.join(import.meta.dirname, 'hetzner', 'fields.md')): Fields {
  const fields = new Map<string, FieldRule[]>();
  let object = '';
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const heading = /^## (\w+)$/.exec(line);
    if (heading !== null) object = heading[1] ?? '';
    const row = /^\| `([^`]+)` \| ([^|]+) \|(.*)\|$/.exec(line);
    if (row === null || object === '') continue;
    const [, name = '', declared = '', rest = ''] = row;
    const letters = rest.split('|').map((cell) => cell.trim().replaceAll('`', ''));
    const type = declared.trim();
    const rule: FieldRule = {
      name,
      steps: name.replaceAll('[]', '.[]').split('.'),
      type: type.replace(/ or null$/, ''),
      orNull: type.endsWith(' or null'),
      outcomes: { A: letters[0] ?? '', B: letters[1] ?? '', C: letters[2] ?? '', D: letters[3] ?? '' },
    };
    fields.set(object, [...(fields.get(object) ?? []), rule]);
  }
  if (fields.size === 0) throw new Error(`${file} holds no table of fields`);
  fields.set('Pricing', [...(fields.get('Pricing') ?? []), ...PRICES]);
  return fields;
}

const HARMLESS = { A: '', B: '', C: '', D: '' };
const price = (list: string, field: string, type: string): FieldRule => {
  const name = `${list}[].prices[].${field}`;
  return { name, steps: name.replaceAll('[]', '.[]').split('.'), type, orNull: false, outcomes: HARMLESS };
};
const money = (list: string, field: string): FieldRule[] => [
  price(list, field, 'object'),
  price(list, `${field}.net`, 'string'),
  price(list, `${field}.gross`, 'string'),
];
/** The table leaves out what the entries of price lists hold; every client decodes them. */
const PRICES: readonly FieldRule[] = ['floating_ips', 'primary_ips', 'server_types', 'load_balancer_types'].flatMap((list) => [
  price(list, 'location', 'string'),
  ...money(list, 'price_monthly'),
  ...(list === 'floating_ips' ? [] : money(list, 'price_hourly')),
  ...(list.endsWith('_types') ? [price(list, 'included_traffic', 'uint64'), ...money(list, 'price_per_tb_traffic')] : []),
]);

/** Objects that stand inside others, by the name of the field. */
const NESTED: Readonly<Record<string, string>> = {
  home_location: 'Location',
  location: 'Location',
  server_type: 'ServerType',
  image: 'Image',
  load_balancer_type: 'LoadBalancerType',
  iso: 'ISO',
  placement_group: 'PlacementGroup',
};

/** Null is an answer of the API here, though Go has no word for it. */
const NULLABLE = new Set([
  'Server.public_net.ipv4',
  'Server.public_net.ipv6',
  'Network.subnets[].gateway',
  'Network.subnets[].vswitch_id',
  'Meta.pagination.previous_page',
  'Meta.pagination.next_page',
  'Meta.pagination.last_page',
  'Meta.pagination.total_entries',
  'Certificate.certificate',
  'Certificate.not_valid_before',
  'Certificate.not_valid_after',
  'Certificate.fingerprint',
  'Zone.registrar',
  'Zone.authoritative_nameservers.delegation_last_check',
  'LoadBalancer.public_net.ipv4.id',
  'LoadBalancer.public_net.ipv6.id',
]);

/** Not in every answer: newer or older than the era, or there only with what they describe. */
const OPTIONAL = [
  /^LoadBalancer\.services\[\]\.http/,
  /^LoadBalancer\.services\[\]\.health_check\.http/,
  /^LoadBalancer\.targets\[\]\.(targets|server|label_selector|ip)$/,
  /^LoadBalancer\.targets\[\]\.health_status\[\]\.(detail|http_status_code)$/,
  /^LoadBalancer\.public_net\.ipv[46]\.(id|blocked)$/,
  /^LoadBalancerType\.(deprecated|deprecation)$/,
  /^ServerType\.(included_traffic|deprecated)$/,
  /^Image\.deprecation$/,
  /^Firewall\.applied_to\[\]\.(server|label_selector|applied_to_resources)/,
  /^Zone\.primary_nameservers\[\]\./,
  /^RRSet\.records\[\]\.comment$/,
  /^Pricing\.(floating_ip|image|traffic)\b/,
  /^Certificate\.status\.error\.details$/,
];

/** Says what is wrong with one object for one client; empty when that client can do its work with it. */
export function judgeObject(fields: Fields, object: string, value: unknown, column: Column, at: string): string[] {
  const rules = fields.get(object);
  if (rules === undefined) return [`${at}: no table of fields for ${object}`];
  if (!isObject(value)) return [`${at} is ${shown(value)}, not an object`];
  return [
    ...rules.flatMap((rule) => judgeField(fields, object, rule, rule.steps, value, column, at)),
    ...conditional(object, value, at),
  ];
}

function judgeField(
  fields: Fields,
  object: string,
  rule: FieldRule,
  steps: readonly string[],
  value: unknown,
  column: Column,
  at: string,
): string[] {
  const [step, ...rest] = steps;
  if (step === '[]') {
    // What stands there instead of a list is told by the list's own row.
    if (!Array.isArray(value)) return [];
    return value.flatMap((item, index) => {
      const place = `${at}[${index}]`;
      return rest.length > 0 ? judgeField(fields, object, rule, rest, item, column, place) : judgeValue(fields, object, rule, item, column, place);
    });
  }
  if (step === undefined || !isObject(value)) return [];
  const place = `${at}.${step}`;
  const field = value[step];
  if (rest.length > 0) return judgeField(fields, object, rule, rest, field, column, place);
  if (field === undefined) {
    const optional = OPTIONAL.some((pattern) => pattern.test(`${object}.${rule.name}`));
    return optional && (byType(rule) || harmless(rule, column, 1)) ? [] : [`${place} is absent`];
  }
  return judgeValue(fields, object, rule, field, column, place);
}

function judgeValue(fields: Fields, object: string, rule: FieldRule, value: unknown, column: Column, at: string): string[] {
  const name = `${object}.${rule.name}`;
  if (value === null) {
    if (rule.type === 'any') return [];
    if (!rule.orNull && !NULLABLE.has(name)) return [`${at} is null`];
    return harmless(rule, column, 0) || byType(rule) ? [] : [`${at} is null, which this client does not survive`];
  }
  if (!fits(rule.type, value)) return [`${at} is ${shown(value)}, not ${rule.type}`];
  const nested = rule.type === 'object' && object !== 'Pricing' ? NESTED[rule.steps.at(-1) ?? ''] : undefined;
  return nested === undefined || nested === object ? [] : judgeObject(fields, nested, value, column, at);
}

/** There or not by the `type` beside it: judged by `conditional`. */
const byType = (rule: FieldRule): boolean => /\[\]\.(server|label_selector|ip)$/.test(rule.name);

const harmless = (rule: FieldRule, column: Column, which: 0 | 1): boolean =>
  ['.', '-', ''].includes(rule.outcomes[column][which] ?? '');

/** What has to be there because of another field: a target is of its type. */
function conditional(object: string, value: Readonly<Record<string, unknown>>, at: string): string[] {
  const list = { LoadBalancer: 'targets', Firewall: 'applied_to' }[object];
  const items = list === undefined ? [] : value[list];
  if (!Array.isArray(items)) return [];
  return items.flatMap((item, index) => {
    const type = isObject(item) ? item['type'] : undefined;
    if (!isObject(item) || typeof type !== 'string' || isObject(item[type])) return [];
    return [`${at}.${list}[${index}].${type} is ${shown(item[type])}, though that is its type`];
  });
}

function fits(type: string, value: unknown): boolean {
  switch (type) {
    case 'int64':
    case 'int':
    case 'uint64':
      return Number.isSafeInteger(value);
    case 'float32':
    case 'float64':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'bool':
      return typeof value === 'boolean';
    case 'time':
      return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value);
    case 'list':
      return Array.isArray(value);
    case 'map':
      return isObject(value) && Object.values(value).every((entry) => typeof entry === 'string');
    case 'object':
      return isObject(value);
    case 'any':
      return true;
    default:
      throw new Error(`the table of fields has a type nobody here knows: ${type}`);
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const shown = (value: unknown): string => (JSON.stringify(value) ?? 'absent').slice(0, 60);
