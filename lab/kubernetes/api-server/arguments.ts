import { Failure } from '../../../src/base/failure.ts';

/** What the built-in API server takes from the arguments of kube-apiserver; the rest is known there and without effect here. */
export interface ServerArguments {
  readonly bindAddress: string;
  readonly port: number;
  readonly advertiseAddress: string;
  readonly etcdServers: readonly string[];
  readonly etcdCa: string;
  readonly etcdCert: string;
  readonly etcdKey: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  readonly tls13Only: boolean;
  readonly clientCa: string | undefined;
  readonly anonymous: boolean;
  readonly authenticationConfig: string | undefined;
  /** The first signs; all are accepted. */
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly serviceAccountKeys: readonly string[];
  readonly serviceAccountSigningKey: string;
  readonly requestHeader: {
    readonly ca: string | undefined;
    readonly names: readonly string[];
    readonly userHeaders: readonly string[];
    readonly groupHeaders: readonly string[];
  };
  readonly serviceRange: string;
  readonly nodeRestriction: boolean;
  /** --etcd-readycheck-timeout, milliseconds. */
  readonly readyCheckMs: number;
}

const listOf = (values: readonly string[]): string[] =>
  values.flatMap((value) => value.split(',')).filter((value) => value !== '');

/**
 * Reads `--name=value` arguments as kube-apiserver does: a repeated flag replaces the earlier value, except for the
 * list flags, which add up (`--service-account-issuer` takes one issuer each time, commas and all).
 */
export function parseArguments(args: readonly string[]): ServerArguments {
  const given = new Map<string, string[]>();
  for (const arg of args) {
    const match = /^--([^=]+)(?:=([\s\S]*))?$/.exec(arg);
    const [, name, value = 'true'] = match ?? [];
    if (name === undefined) continue;
    given.set(name, [...(given.get(name) ?? []), value]);
  }
  const all = (name: string): readonly string[] => given.get(name) ?? [];
  const last = (name: string): string | undefined => all(name).at(-1);
  const required = (name: string): string => {
    const value = last(name);
    if (value === undefined || value === '') throw missing(name);
    return value;
  };

  const issuers = all('service-account-issuer').filter((issuer) => issuer !== '');
  if (issuers.length === 0) throw missing('service-account-issuer');
  const audiences = listOf(all('api-audiences'));
  const signingKey = required('service-account-signing-key-file');
  const keys = all('service-account-key-file');
  return {
    bindAddress: last('bind-address') ?? '0.0.0.0',
    port: Number(last('secure-port') ?? '6443'),
    advertiseAddress: last('advertise-address') ?? last('bind-address') ?? '0.0.0.0',
    etcdServers: listOf([required('etcd-servers')]),
    etcdCa: required('etcd-cafile'),
    etcdCert: required('etcd-certfile'),
    etcdKey: required('etcd-keyfile'),
    tlsCert: required('tls-cert-file'),
    tlsKey: required('tls-private-key-file'),
    tls13Only: last('tls-min-version') === 'VersionTLS13',
    clientCa: last('client-ca-file'),
    anonymous: last('anonymous-auth') !== 'false',
    authenticationConfig: last('authentication-config'),
    issuers,
    audiences: audiences.length === 0 ? issuers : audiences,
    serviceAccountKeys: keys.length === 0 ? [signingKey] : keys,
    serviceAccountSigningKey: signingKey,
    requestHeader: {
      ca: last('requestheader-client-ca-file'),
      names: listOf(all('requestheader-allowed-names')),
      userHeaders: listOf(all('requestheader-username-headers')),
      groupHeaders: listOf(all('requestheader-group-headers')),
    },
    serviceRange: last('service-cluster-ip-range') ?? '10.0.0.0/24',
    nodeRestriction: listOf(all('enable-admission-plugins')).includes('NodeRestriction'),
    readyCheckMs: millisecondsOf(last('etcd-readycheck-timeout') ?? '2s'),
  };
}

const UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, ms: 1, s: 1_000, m: 60_000 };

/** Of a Go duration with one unit. */
function millisecondsOf(text: string): number {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)(ns|us|ms|s|m)$/.exec(text) ?? [];
  return amount === undefined ? 2_000 : Number(amount) * (UNITS[unit] ?? 0);
}

const missing = (name: string): Failure =>
  new Failure({
    code: 'api-server-arguments',
    what: 'The built-in API server cannot start',
    why: `--${name} is not among its arguments`,
    state: 'No API server runs on this node.',
    next: `Give --${name}=… in the arguments, as a real kube-apiserver needs it too.`,
  });
