import { describe, expect, test } from 'vitest';
import { DEFAULT_VALUES, listKnobs, readSetting, turnKnobs, valueAt } from './knobs.ts';

/** Names of all values, but for ranges and refusals, which are one value each. */
function leaves(value: unknown, name: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || 'status' in value) return [name];
  return Object.entries(value).flatMap(([key, inner]) => leaves(inner, `${name}.${key}`));
}

const all = Object.entries(DEFAULT_VALUES).flatMap(([area, values]) => leaves(values, area));

describe('the registry', () => {
  test('names every value that a room turns on, once, and nothing else', () => {
    expect(
      listKnobs()
        .map((knob) => knob.name)
        .toSorted(),
    ).toEqual(all.toSorted());
  });

  test('says of each what it is, in which unit, how sure it is and why', () => {
    for (const knob of listKnobs()) {
      expect([knob.brief, knob.unit, knob.source, knob.default]).not.toContain('');
      expect(knob.default).not.toContain('undefined');
    }
    expect(listKnobs().some((knob) => knob.guess)).toBe(true);
  });

  test('a default is a value the knob takes, and turns nothing', () => {
    for (const knob of listKnobs()) expect(turnKnobs({ [knob.name]: knob.default })).toEqual(DEFAULT_VALUES);
  });
});

describe('turning', () => {
  test('changes the one value, in every form, and not the defaults', () => {
    const before = structuredClone(DEFAULT_VALUES);
    const settings = {
      'cloud.delays.assign': '500-900',
      'cloud.delays.power': '7',
      'cloud.quotas.servers': '1000',
      'cloud.assignLocksServer': 'false',
      'cloud.assignToHolder': 'floating_ip_assigned',
      'cloud.crossZone': '409:conflict',
      'cloud.robotAddresses': '192.0.2.1, 192.0.2.2',
      'balancer.proxyProtocolVersion': '2',
      'talos.bootMs': '100',
      'dns.propagationMs': '0',
    };
    const values = turnKnobs(settings);
    expect(Object.keys(settings).map((name) => valueAt(values, name))).toEqual([
      [500, 900],
      [7, 7],
      1000,
      false,
      'floating_ip_assigned',
      { status: 409, code: 'conflict' },
      ['192.0.2.1', '192.0.2.2'],
      2,
      100,
      0,
    ]);
    expect(DEFAULT_VALUES).toEqual(before);
    expect(listKnobs(settings).find((knob) => knob.name === 'cloud.delays.assign')).toMatchObject({
      default: '1000-3000',
      value: '500-900',
    });
  });

  test.each([
    ['cloud.delay.assign', '1', 'there is no knob'],
    ['cloud.delays.assign', '900-500', 'cannot be "900-500"'],
    ['cloud.quotas.servers', '-1', 'cannot be'],
    ['talos.heartbeatMs', '0', 'cannot be'],
    ['cloud.quotas', '1', 'there is no knob'],
    ['cloud.assignToHolder', 'maybe', 'cannot be'],
    ['cloud.crossZone', '200 ok', 'cannot be'],
    ['cloud.robotAddresses', 'host', 'cannot be'],
    ['cloud.assignLocksServer', 'yes', 'cannot be'],
    ['__proto__.x', '1', 'there is no knob'],
  ])('%s=%s is refused', (name, value, why) => {
    expect(() => turnKnobs({ [name]: value })).toThrow(why);
  });

  test('a setting is name=value', () => {
    expect(readSetting('cloud.crossZone=422 a=b')).toEqual(['cloud.crossZone', '422 a=b']);
    expect(() => readSetting('cloud.crossZone')).toThrow('is not name=value');
  });
});
