import { isIPv4 } from 'node:net';
import { EXIT, Failure } from '../../src/base/failure.ts';
import { type BalancerKnobs, DEFAULT_BALANCER_KNOBS } from '../balancer/types.ts';
import { type CloudKnobs, DEFAULT_KNOBS } from '../cloud/knobs.ts';
import { DEFAULT_DNS_KNOBS, type DnsKnobs } from '../dns/types.ts';
import { DEFAULT_ETCD_KNOBS, type EtcdKnobs } from '../kubernetes/types.ts';
import { DEFAULT_TALOS_KNOBS, type TalosKnobs } from '../talos/timings.ts';
import { KNOB_RULES } from './rules.ts';
import type { Knob, KnobForm, KnobRule } from './types.ts';

/** All knobs of a lab, by the room that turns on them. */
export interface KnobValues {
  readonly cloud: CloudKnobs;
  readonly balancer: BalancerKnobs;
  readonly dns: DnsKnobs;
  readonly talos: TalosKnobs;
  readonly etcd: EtcdKnobs;
}

/** As `--knob name=value` gives them. */
export type KnobSettings = Readonly<Record<string, string>>;

export const DEFAULT_VALUES: KnobValues = {
  cloud: DEFAULT_KNOBS,
  balancer: DEFAULT_BALANCER_KNOBS,
  dns: DEFAULT_DNS_KNOBS,
  talos: DEFAULT_TALOS_KNOBS,
  etcd: DEFAULT_ETCD_KNOBS,
};

/** Every knob with its default, and with what is in force where a lab's settings are given. */
export function listKnobs(settings?: KnobSettings): readonly Knob[] {
  const values = settings === undefined ? undefined : turnKnobs(settings);
  return KNOB_RULES.map((rule) => {
    const standard = valueAt(DEFAULT_VALUES, rule.name);
    return {
      ...rule,
      form: formOf(rule, standard),
      default: write(standard),
      ...(values === undefined ? {} : { value: write(valueAt(values, rule.name)) }),
    };
  });
}

/** The values with some of them turned; throws a Failure that says what a knob takes. */
export function turnKnobs(settings: KnobSettings): KnobValues {
  const values: unknown = structuredClone(DEFAULT_VALUES);
  for (const [name, text] of Object.entries(settings)) {
    const rule = KNOB_RULES.find((each) => each.name === name);
    if (rule === undefined) throw wrong(`there is no knob "${name}"`, 'See `fairlead lab knobs`.');
    const standard = valueAt(DEFAULT_VALUES, name);
    const form = formOf(rule, standard);
    const value = read(form, rule, text.trim());
    if (value === undefined)
      throw wrong(
        `${name} cannot be ${JSON.stringify(text)}`,
        `Give ${takes(form, rule)}; the default is ${write(standard)}.`,
      );
    put(values, name, value);
  }
  // The same shape: every value was read in the form of the one it stands for.
  return values as KnobValues;
}

/** `name=value` of a command line; throws a Failure where it is not of this form. */
export function readSetting(text: string): readonly [name: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw wrong(`"${text}" is not name=value`, 'Give --knob cloud.delays.assign=500-900, for example.');
  return [text.slice(0, at).trim(), text.slice(at + 1)];
}

/** Polls without a pause, and a bucket that never fills again. */
const NEVER_ZERO = /^(talos|cloud\.rateLimit)\./;

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

export const valueAt = (values: unknown, name: string): unknown =>
  name.split('.').reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), values);

function put(values: unknown, name: string, value: unknown): void {
  const keys = name.split('.');
  const last = keys.pop() ?? '';
  const holder = valueAt(values, keys.join('.'));
  if (isRecord(holder)) holder[last] = value;
}

function formOf(rule: KnobRule, standard: unknown): KnobForm {
  if (rule.choices !== undefined) return 'choice';
  if (rule.name === 'cloud.robotAddresses') return 'addresses';
  if (Array.isArray(standard)) return 'range';
  if (typeof standard === 'boolean') return 'yes';
  return isRecord(standard) ? 'refusal' : 'number';
}

function read(form: KnobForm, rule: KnobRule, text: string): unknown {
  switch (form) {
    case 'number':
      if (!/^\d{1,9}(\.\d+)?$/.test(text)) return undefined;
      return Number(text) === 0 && NEVER_ZERO.test(rule.name) ? undefined : Number(text);
    case 'range': {
      const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
      if (match === null) return undefined;
      const [least, most] = [Number(match[1]), Number(match[2] ?? match[1])];
      return least <= most ? [least, most] : undefined;
    }
    case 'yes':
      return text === 'true' ? true : text === 'false' ? false : undefined;
    case 'choice':
      return rule.choices?.find((choice) => String(choice) === text);
    case 'refusal': {
      const match = /^(4\d\d|5\d\d)[ :]([a-z_]+)$/.exec(text);
      return match === null ? undefined : { status: Number(match[1]), code: match[2] };
    }
    case 'addresses': {
      if (text === 'any') return text;
      const addresses = text.split(',').map((each) => each.trim());
      return addresses.every((each) => isIPv4(each)) ? addresses : undefined;
    }
  }
}

function write(value: unknown): string {
  if (Array.isArray(value)) return value.join(typeof value[0] === 'number' ? '-' : ',');
  return isRecord(value) ? `${String(value['status'])} ${String(value['code'])}` : String(value);
}

function takes(form: KnobForm, rule: KnobRule): string {
  switch (form) {
    case 'number':
      return `a number (${rule.unit})`;
    case 'range':
      return `a number or two, as 500-900 (${rule.unit})`;
    case 'yes':
      return 'true or false';
    case 'choice':
      return rule.choices?.join(' or ') ?? '';
    case 'refusal':
      return 'status and code, as "422 invalid_input"';
    case 'addresses':
      return 'any, or IPv4 addresses with commas between';
  }
}

const wrong = (why: string, next: string): Failure =>
  new Failure({
    code: 'lab-knob',
    exit: EXIT.usage,
    what: 'The knob was not turned',
    why,
    state: 'Nothing was started.',
    next,
  });
