import type { Clock } from '../../src/base/clock.ts';
import type { ActionFault, CloudFaults, RequestFault } from '../cloud/faults.ts';
import { QUOTAS } from './catalogue.ts';
import { actionMatches, requestMatches } from './match.ts';
import type { Faults } from './registry.ts';
import type { Fault, Parameters } from './types.ts';

/** The API's usual code of a status; what a gateway in front of it says for 502 and 504. */
const CODES: Readonly<Record<number, readonly [code: string, message: string]>> = {
  401: ['unauthorized', 'unable to authenticate'],
  403: ['forbidden', 'insufficient permissions for this request'],
  404: ['not_found', 'resource not found'],
  409: ['conflict', 'the resource has changed during the request, please retry'],
  422: ['invalid_input', 'invalid input'],
  423: ['locked', 'cannot perform operation because the resource is locked'],
  429: ['rate_limit_exceeded', 'limit of requests per hour reached'],
  500: ['server_error', 'server error'],
  502: ['bad_gateway', 'Bad Gateway'],
  503: ['unavailable', 'service unavailable'],
  504: ['timeout', 'Gateway Timeout'],
};

/** What the cloud is told when it asks what befalls a request, an action, a token or a quota. */
export function cloudFaults(
  faults: Faults,
  world: {
    readonly clock: Clock;
    /** Tokens by the name that `--token` takes. */
    readonly tokens: Readonly<Record<string, string>>;
    readonly serverName: (id: number) => string | undefined;
  },
): CloudFaults {
  return {
    request(request) {
      const matches = (scope: Parameters): boolean => requestMatches(scope, request);
      const met: RequestFault[] = [];
      const slow = faults.take('cloud-slow', matches);
      if (slow !== undefined) met.push({ kind: 'slow', ms: numberOf(slow, 'delay'), over: slow.signal });
      // The first that ends the request is the only one it meets; the others keep their count.
      const window = faults.take('cloud-rate-limit', matches);
      if (window !== undefined) return [...met, rateLimit(window, world.clock)];
      const status = faults.take('cloud-status', matches);
      if (status !== undefined) return [...met, answerOf(status)];
      const hang = faults.take('cloud-hang', matches);
      if (hang !== undefined) return [...met, { kind: 'hang', over: hang.signal }];
      if (faults.take('cloud-reset', matches) !== undefined) return [...met, { kind: 'reset' }];
      if (faults.take('cloud-lost-answer', matches) !== undefined) return [...met, { kind: 'lost-answer' }];
      return met;
    },
    action({ command, server }) {
      const name = server === undefined ? undefined : world.serverName(server);
      const matches = (scope: Parameters): boolean =>
        actionMatches(scope, { command, ...(name === undefined ? {} : { server: name }) });
      const late = faults.take('action-late', matches);
      const error = faults.take('action-error', matches);
      return {
        ...(late === undefined ? {} : { late: { ms: numberOf(late, 'delay'), over: late.signal } }),
        ...(error === undefined ? {} : { error: { code: textOf(error, 'code'), message: textOf(error, 'message') } }),
      } satisfies ActionFault;
    },
    token(token) {
      const fate = (kind: string): boolean => {
        const fault = faults.active(kind).find(({ parameters }) => world.tokens[String(parameters['token'])] === token);
        if (fault !== undefined) faults.hit(fault);
        return fault !== undefined;
      };
      if (fate('token-revoked')) return 'revoked';
      return fate('token-read-only') ? 'read-only' : undefined;
    },
    quotas(usual) {
      if (faults.active('quota-reached').length === 0) return usual;
      const seen = { ...usual };
      for (const [resource, quota] of QUOTAS)
        // Whoever looks at it is about to make one.
        Object.defineProperty(seen, quota, {
          enumerable: true,
          get: () => (faults.take('quota-reached', (scope) => scope['resource'] === resource) ? 0 : usual[quota]),
        });
      return seen;
    },
  };
}

function answerOf(fault: Fault): RequestFault {
  const status = numberOf(fault, 'status');
  const [code, message] =
    CODES[status] ?? (status < 500 ? ['invalid_input', 'invalid input'] : ['server_error', 'server error']);
  const own = fault.parameters['code'];
  return { kind: 'answer', status, code: typeof own === 'string' ? own : code, message };
}

/** Empty until the window ends: the headers say when, in Unix seconds, as the API's own do. */
function rateLimit(fault: Fault, clock: Clock): RequestFault {
  const until = fault.setAt.getTime() + numberOf(fault, 'duration');
  const [code, message] = CODES[429] ?? ['', ''];
  return {
    kind: 'answer',
    status: 429,
    code,
    message,
    headers: {
      'RateLimit-Limit': '3600',
      'RateLimit-Remaining': '0',
      'RateLimit-Reset': String(Math.ceil(Math.max(until, clock.wall().getTime()) / 1000)),
    },
  };
}

const numberOf = (fault: Fault, name: string): number => Number(fault.parameters[name]);
const textOf = (fault: Fault, name: string): string => String(fault.parameters[name]);
