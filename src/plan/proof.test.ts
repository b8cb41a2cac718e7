import { expect, test } from 'vitest';
import { unknown } from '../model/fact.ts';
import { fact, finished, floatingIP, IP, pinned } from '../model/observation.testing.ts';
import { isOpen } from './gates.ts';
import { proofChecks } from './proof.ts';

test('an address is proven where claim, route and probe agree, and not before', () => {
  expect(isOpen(proofChecks(finished(), floatingIP(102)))).toBe(true);
  expect(isOpen(proofChecks(finished(), floatingIP(101)))).toBe(false);
  expect(isOpen(proofChecks(pinned(), floatingIP(null)))).toBe(false);
});

test('through a name it is proven only where the name leads to the address and nowhere else', () => {
  const verdict = (addresses: Parameters<typeof fact<readonly string[]>>[0] | undefined): string | undefined =>
    proofChecks(
      finished({
        endpointName: {
          name: 'api.example.com',
          addresses: addresses === undefined ? unknown('ENOTFOUND', 'dns') : fact(addresses),
        },
      }),
      floatingIP(102),
    ).find((check) => check.name === 'api.example.com leads to the address')?.verdict;
  expect(verdict([IP])).toBe('open');
  expect(verdict(['203.0.113.1'])).toBe('closed');
  expect(verdict([IP, '2001:db8::1'])).toBe('closed');
  expect(verdict([])).toBe('closed');
  expect(verdict(undefined)).toBe('unknown');
});
