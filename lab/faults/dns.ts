import { isIPv4 } from 'node:net';
import type { Clock } from '../../src/base/clock.ts';
import { EXIT, Failure } from '../../src/base/failure.ts';
import type { DnsFault, DnsOptions } from '../dns/types.ts';
import { globMatches } from './match.ts';
import type { Faults } from './registry.ts';
import type { Fault, Parameters } from './types.ts';

const ANSWERS: Readonly<Record<string, DnsFault>> = {
  nxdomain: { kind: 'no-such-name' },
  none: { kind: 'silent' },
  servfail: { kind: 'server-failure' },
};

/** What the faults that are set make of a question to the name server: one who is cut off from it hears nothing. */
export function dnsFaults(registry: Faults, clock: Clock): NonNullable<DnsOptions['fault']> {
  return ({ name }) => {
    const cut = registry.active('partition').find(({ parameters: { from, to } }) => from === 'dns' || to === 'dns');
    if (cut !== undefined) {
      registry.hit(cut);
      return ANSWERS['none'];
    }
    const wanted = (scope: Parameters): string =>
      String(scope['name'] ?? '**')
        .toLowerCase()
        .replace(/\.$/, '');
    const taken = registry.take('dns', (scope) => globMatches(wanted(scope), name));
    return taken === undefined ? undefined : meaningOf(taken, clock);
  };
}

function meaningOf({ parameters, setAt }: Fault, clock: Clock): DnsFault {
  const answer = String(parameters['answer']);
  if (answer === 'stale') return { kind: 'stale', at: clock.now() - (clock.wall().getTime() - setAt.getTime()) };
  return ANSWERS[answer] ?? { kind: 'wrong', address: answer };
}

/** Throws a Failure when `answer` is neither one of the words nor an address. */
export function checkDnsAnswer(parameters: Parameters): void {
  const answer = String(parameters['answer']);
  if (answer === 'stale' || Object.hasOwn(ANSWERS, answer) || isIPv4(answer)) return;
  throw new Failure({
    code: 'lab-fault-usage',
    exit: EXIT.usage,
    what: 'The fault was not set',
    why: `--answer is ${answer}`,
    state: 'The lab is as it was.',
    next: 'Give nxdomain, none, stale, servfail, or an IPv4 address. `fairlead lab fault list` shows all.',
  });
}
