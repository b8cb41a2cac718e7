import type { Clock } from '../../../../src/base/clock.ts';
import { mustKnow, tokenRequest, type ReviewResource } from '../objects/resources.ts';
import { badRequest, invalid, methodNotAllowed, notFound } from '../objects/status.ts';
import type { Storage } from '../objects/storage.ts';
import { isRecord, kubeTime, listAt, recordAt, stringAt, type Json, type JsonRecord } from '../objects/types.ts';
import { fromToken, type AccountLookup, type AuthenticationRules, type User } from './authentication.ts';
import { isAllowed, rulesOf } from './authorization.ts';
import { claimsFor, verifyToken, type TokenSigner } from './tokens.ts';

export interface ReviewPorts {
  readonly clock: Clock;
  readonly storage: Storage;
  readonly rules: AuthenticationRules;
  readonly signer: TokenSigner;
  readonly accountExists: AccountLookup;
}

const userInfo = (user: User): JsonRecord => ({
  username: user.name,
  ...(user.uid === '' ? {} : { uid: user.uid }),
  groups: [...user.groups],
  ...(Object.keys(user.extra).length === 0
    ? {}
    : {
        extra: Object.fromEntries(
          Object.entries(user.extra).map(([name, values]): [string, Json] => [name, [...values]]),
        ),
      }),
});

/** Answers a review: a question about a token, about oneself, or about what somebody may do. Stores nothing. */
export async function review(
  ports: ReviewPorts,
  resource: ReviewResource,
  user: User,
  body: Json,
): Promise<JsonRecord> {
  const spec = recordAt(body, 'spec') ?? {};
  const head = { kind: resource.kind, apiVersion: `${resource.group}/${resource.version}`, metadata: {} };
  switch (resource.kind) {
    case 'SelfSubjectReview':
      return {
        ...head,
        metadata: { creationTimestamp: kubeTime(ports.clock.wall()) },
        status: { userInfo: userInfo(user) },
      };
    case 'TokenReview':
      return { ...head, spec, status: await tokenStatus(ports, spec) };
    case 'SelfSubjectAccessReview':
      return { ...head, spec, status: { allowed: mayDo(user, spec) } };
    case 'SelfSubjectRulesReview': {
      const namespace = stringAt(spec, 'namespace') ?? '';
      if (namespace === '') throw badRequest('no namespace on request');
      return { ...head, spec: {}, status: rulesOf(user) };
    }
    case 'SubjectAccessReview': {
      const groups = listAt(spec, 'groups').filter((group) => typeof group === 'string');
      const subject = { name: stringAt(spec, 'user') ?? '', uid: '', groups, extra: {} };
      return { ...head, spec, status: { allowed: mayDo(subject, spec) } };
    }
    default:
      throw methodNotAllowed();
  }
}

function mayDo(user: User, spec: JsonRecord): boolean {
  const path = recordAt(spec, 'nonResourceAttributes');
  if (path !== undefined)
    return isAllowed(user, { verb: stringAt(path, 'verb') ?? '', path: stringAt(path, 'path') ?? '' });
  const asked = recordAt(spec, 'resourceAttributes') ?? {};
  const text = (name: string): string => stringAt(asked, name) ?? '';
  return isAllowed(user, {
    verb: text('verb'),
    path: '',
    resource: {
      group: text('group'),
      plural: text('resource'),
      subresource: text('subresource'),
      namespace: text('namespace'),
      name: text('name'),
    },
  });
}

async function tokenStatus(ports: ReviewPorts, spec: JsonRecord): Promise<JsonRecord> {
  const token = stringAt(spec, 'token') ?? '';
  const asked = listAt(spec, 'audiences').filter((one) => typeof one === 'string');
  const audiences = asked.length === 0 ? ports.rules.audiences : asked;
  const now = ports.clock.wall();
  const rules = { ...ports.rules, audiences };
  const verdict = verifyToken(token, {
    issuers: rules.issuers,
    audiences,
    keys: rules.tokenKeys,
    nowSeconds: now.getTime() / 1000,
  });
  if (!('claims' in verdict)) return { user: {}, error: verdict.refused };
  const user = await fromToken(token, rules, now, ports.accountExists);
  if (user === undefined)
    return { user: {}, error: '[invalid bearer token, service account token has been invalidated]' };
  return { authenticated: true, user: userInfo(user), audiences: [...verdict.claims.audiences] };
}

const SHORTEST_SECONDS = 600;
const DEFAULT_SECONDS = 3600;

/** TokenRequest: a token of a service account, for the audiences and the lifetime (seconds) asked for. */
export async function requestToken(
  ports: ReviewPorts,
  namespace: string,
  name: string,
  body: Json,
): Promise<JsonRecord> {
  const accounts = mustKnow('serviceaccounts');
  const spec = recordAt(body, 'spec') ?? {};
  const { expirationSeconds = DEFAULT_SECONDS } = spec;
  const seconds = typeof expirationSeconds === 'number' ? expirationSeconds : DEFAULT_SECONDS;
  const account = await ports.storage.get(accounts, namespace, name);
  if (account === undefined) throw notFound(accounts, name);
  if (seconds < SHORTEST_SECONDS || !Number.isInteger(seconds)) {
    const message = `Invalid value: ${seconds}: may not specify a duration less than 10 minutes`;
    throw invalid(tokenRequest, '', [{ reason: 'FieldValueInvalid', message, field: 'spec.expirationSeconds' }]);
  }
  if (isRecord(spec['boundObjectRef']))
    throw invalid(tokenRequest, '', [
      {
        reason: 'FieldValueNotSupported',
        message: 'Unsupported value: the lab binds tokens to service accounts only',
        field: 'spec.boundObjectRef',
      },
    ]);
  const asked = listAt(spec, 'audiences').filter((one) => typeof one === 'string');
  const audiences = asked.length === 0 ? ports.rules.audiences : asked;
  const now = ports.clock.wall();
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const { uid = '' } = account.object.metadata;
  const token = ports.signer.sign(
    claimsFor({ namespace, name, uid }, ports.rules.issuers[0] ?? '', audiences, nowSeconds, seconds),
  );
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name, namespace, uid, creationTimestamp: kubeTime(now) },
    spec: { audiences: [...audiences], expirationSeconds: seconds, boundObjectRef: null },
    status: { token, expirationTimestamp: kubeTime(new Date((nowSeconds + seconds) * 1000)) },
  };
}
