import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Failure } from '../base/failure.ts';
import { exampleConfig } from './example.ts';
import { distance, nearest } from './nearest.ts';
import { parseConfig } from './parse.ts';
import { configJsonSchema } from './schema.ts';

function whyOf(text: string): string {
  try {
    parseConfig(text, 'fairlead.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).exit).toBe(2);
    return (error as Failure).why;
  }
  throw new Error('it was accepted');
}

const good = exampleConfig('prod');

describe('fairlead.yaml', () => {
  test('what init writes is valid as it stands', () => {
    expect(parseConfig(good, 'fairlead.yaml')).toMatchObject({
      name: 'prod',
      mode: 'talos-vip',
      endpoint: { port: 6443 },
    });
  });

  test('what may be left out has its default', () => {
    const config = parseConfig(good.replace(/^endpoint:\n(?: .*\n)+/m, '').replace(/^state:.*\n/m, ''), 'f');
    expect(config).toMatchObject({
      endpoint: { port: 6443 },
      state: '.fairlead/state',
      talosVip: { variable: 'TALOS_VIP_TOKEN' },
    });
  });

  test('an unknown key is named with its place and the nearest valid one', () => {
    expect(whyOf(good.replace('  token: env:HCLOUD_TOKEN', '  tokne: env:HCLOUD_TOKEN'))).toMatch(
      /^fairlead\.yaml:\d+:3: unknown key hetzner\.tokne; did you mean token\?$/,
    );
  });

  test('a wrong value is named with its place and what was expected', () => {
    expect(whyOf(good.replace('mode: talos-vip', 'mode: talosvip'))).toMatch(
      /fairlead\.yaml:\d+:7: mode is talosvip, expected talos-vip \| load-balancer \| guard; did you mean talos-vip\?/,
    );
    expect(whyOf(good.replace('port: 6443', 'port: 70000'))).toMatch(/endpoint\.port/);
  });

  test('two ways to name the address, and none, are both refused', () => {
    expect(whyOf(good.replace('  create:', '  adopt:\n    id: 7\n  create:'))).toMatch(/exactly one of adopt, create/);
    expect(whyOf(good.replace(/ {2}create:\n {4}name: .*\n {4}location: .*\n/, '  {}\n'))).toMatch(
      /exactly one of adopt, create/,
    );
  });

  test('a newer version of the format is said to be that', () => {
    expect(whyOf(good.replace('fairlead/v1alpha1', 'fairlead/v9'))).toMatch(
      /apiVersion is fairlead\/v9, this tool reads fairlead\/v1alpha1/,
    );
  });

  test('a secret that stands where a reference belongs is not repeated', () => {
    const why = whyOf(good.replace('env:HCLOUD_TOKEN', 'kJh87secretToken'));
    expect(why).toMatch(/hetzner\.token: a reference/);
    expect(why).not.toContain('kJh87secretToken');
  });

  test('a token is not sent in clear: plain http only to this machine', () => {
    const at = (endpoint: string): string =>
      good.replace('env:HCLOUD_TOKEN', `env:HCLOUD_TOKEN\n  endpoint: ${endpoint}`);
    expect(whyOf(at('http://cloud.example.com/v1'))).toMatch(
      /hetzner\.endpoint: https; plain http only to this machine/,
    );
    expect(whyOf(at('http://127.0.0.1.example.com/v1'))).toMatch(/hetzner\.endpoint: https/);
    for (const fine of [
      'https://api.hetzner.cloud/v1',
      'http://127.3.4.5:8080/v1',
      'http://localhost:1/v1',
      'http://[::1]:1/v1',
    ]) {
      expect(parseConfig(at(fine), 'f').hetzner.endpoint).toBe(fine);
    }
  });

  test('an alias without its anchor is named with its place', () => {
    expect(whyOf(good.replace('mode: talos-vip', 'mode: *nowhere'))).toMatch(/^fairlead\.yaml:\d+:7: .*nowhere/);
  });

  test('whatever the text is, it is read or refused in our own words', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.nat(good.length).map((n) => good.slice(0, n)),
          fc.nat(good.length).map((n) => `${good.slice(0, n)}: [${good.slice(n)}`),
        ),
        (text) => {
          try {
            parseConfig(text, 'f');
          } catch (error) {
            expect(error).toBeInstanceOf(Failure);
            expect((error as Failure).why).toMatch(/f:\d+:\d+: /);
          }
        },
      ),
    );
  });
});

test('the JSON Schema is strict and describes every key at the top', () => {
  const schema = configJsonSchema() as {
    additionalProperties: boolean;
    properties: Record<string, unknown>;
    required: string[];
  };
  expect(schema.additionalProperties).toBe(false);
  expect(Object.keys(schema.properties)).toEqual([
    'apiVersion',
    'kind',
    'name',
    'mode',
    'endpoint',
    'address',
    'hetzner',
    'talosVip',
    'talos',
    'kubernetes',
    'consumers',
    'owners',
    'resolvers',
    'state',
    'journal',
  ]);
  expect(schema.required).not.toContain('endpoint');
});

describe('the nearest word', () => {
  test('distance is a metric on short words', () => {
    const word = fc.string({ maxLength: 8 });
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(distance(a, b)).toBe(distance(b, a));
        expect(distance(a, b) === 0).toBe(a === b);
        expect(distance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });

  test('something altogether different has no nearest word', () => {
    expect(nearest('zzzzzz', ['token', 'endpoint'])).toBeUndefined();
    expect(nearest('endpiont', ['token', 'endpoint'])).toBe('endpoint');
  });
});
