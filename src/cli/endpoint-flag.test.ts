import { expect, test } from 'vitest';
import { endpointFlag } from './endpoint-flag.ts';

test.each([
  ['203.0.113.7', 'https://203.0.113.7:6443'],
  ['api.example.com', 'https://api.example.com:6443'],
  ['203.0.113.7:443', 'https://203.0.113.7:443'],
  ['https://203.0.113.7:6443', 'https://203.0.113.7:6443'],
  ['https://api.example.com/', 'https://api.example.com:6443'],
  ['2001:db8::1', 'https://[2001:db8::1]:6443'],
  ['[2001:db8::1]:443', 'https://[2001:db8::1]:443'],
  ['https://[2001:db8::1]', 'https://[2001:db8::1]:6443'],
])('%s is %s', (text, url) => expect(endpointFlag(text)).toBe(url));

test.each([
  'http://203.0.113.7:6443',
  'https://203.0.113.7:6443/path',
  'https://me@203.0.113.7',
  '',
  'a b',
  'https://',
])('%j is refused', (text) => expect(() => endpointFlag(text)).toThrow('is no endpoint'));
