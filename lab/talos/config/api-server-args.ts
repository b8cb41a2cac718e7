import type { Settings } from './settings.ts';

const CONFIG = '/system/config/kubernetes/kube-apiserver';
const SECRETS = '/system/secrets/kubernetes/kube-apiserver';

type Args = ReadonlyMap<string, readonly string[]>;

/** Values that are added to Talos' own, after a comma; all others replace them. */
const ADDITIVE = new Set(['enable-admission-plugins', 'feature-gates', 'authorization-mode', 'tls-cipher-suites']);

const DENIED = new Set([
  'etcd-servers',
  'client-ca-file',
  'requestheader-client-ca-file',
  'proxy-client-cert-file',
  'proxy-client-key-file',
  'encryption-provider-config',
  'etcd-cafile',
  'etcd-certfile',
  'etcd-keyfile',
  'kubelet-client-certificate',
  'kubelet-client-key',
  'service-account-key-file',
  'service-account-signing-key-file',
  'tls-cert-file',
  'tls-private-key-file',
  'authorization-config',
]);

const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  ...['ECDSA', 'RSA'].flatMap((kind) =>
    ['AES_128_GCM_SHA256', 'AES_256_GCM_SHA384', 'CHACHA20_POLY1305', 'CHACHA20_POLY1305_SHA256'].map(
      (suite) => `TLS_ECDHE_${kind}_WITH_${suite}`,
    ),
  ),
].join(',');

export interface ApiServerArgs {
  /** `--name=value`, sorted by name as Talos does; empty when `denied` names an argument: the pod is not rendered then. */
  readonly args: readonly string[];
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly denied: string | undefined;
}

/** The command line of the kube-apiserver's static pod (Talos: ControlPlaneStaticPodController). */
export function apiServerArgs(settings: Settings): ApiServerArgs {
  const { extraArgs } = settings.apiServer;
  const denied = Object.keys(extraArgs).find(
    (name) => DENIED.has(name) || (settings.minor >= 14 && name === 'tls-min-version'),
  );
  if (denied !== undefined) return { args: [], issuers: [], audiences: [], denied };
  const all = merge(ownArgs(settings), extraArgs, settings.minor);
  return {
    args: [...all]
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .flatMap(([name, values]) => values.map((value) => `--${name}=${value}`)),
    issuers: all.get('service-account-issuer') ?? [],
    audiences: (all.get('api-audiences') ?? []).flatMap((value) => value.split(',')),
    denied: undefined,
  };
}

function merge(
  own: Map<string, readonly string[]>,
  extra: Readonly<Record<string, readonly string[]>>,
  minor: number,
): Args {
  for (const [name, values] of Object.entries(extra)) {
    const existing = own.get(name);
    if (ADDITIVE.has(name) && existing !== undefined) own.set(name, [[...existing, ...values].join(',')]);
    // From 1.13 on, where a value may be a list, an empty one takes the flag away; before, it is handed on as it is (a guess).
    else own.set(name, minor >= 13 ? values.filter((value) => value !== '') : values);
  }
  return own;
}

function ownArgs(settings: Settings): Map<string, readonly string[]> {
  const { apiServer, minor } = settings;
  const documents = apiServer.form === 'document';
  const authorizes = Object.keys(apiServer.extraArgs).some((name) => /^authorization-(mode$|webhook-)/.test(name));
  const single: Record<string, string> = {
    'admission-control-config-file': `${CONFIG}/admission-control-config.yaml`,
    'advertise-address': '$(POD_IP)',
    'allow-privileged': 'true',
    ...(documents
      ? { 'authentication-config': `${CONFIG}/authentication-config.yaml` }
      : { 'anonymous-auth': 'false' }),
    'api-audiences': apiServer.audiences.join(','),
    'audit-log-maxage': '30',
    'audit-log-maxbackup': '10',
    'audit-log-maxsize': '100',
    'audit-log-path': '/var/log/audit/kube/kube-apiserver.log',
    'audit-policy-file': `${CONFIG}/auditpolicy.yaml`,
    ...(authorizes
      ? { 'authorization-mode': 'Node,RBAC' }
      : { 'authorization-config': `${CONFIG}/authorization-config.yaml` }),
    'bind-address': '0.0.0.0',
    'client-ca-file': `${SECRETS}/ca.crt`,
    'enable-admission-plugins': 'NodeRestriction',
    'enable-bootstrap-token-auth': 'true',
    'encryption-provider-config': `${SECRETS}/encryptionconfig.yaml`,
    'etcd-cafile': `${SECRETS}/etcd-client-ca.crt`,
    'etcd-certfile': `${SECRETS}/etcd-client.crt`,
    'etcd-keyfile': `${SECRETS}/etcd-client.key`,
    'etcd-servers': 'https://127.0.0.1:2379',
    'kubelet-client-certificate': `${SECRETS}/apiserver-kubelet-client.crt`,
    'kubelet-client-key': `${SECRETS}/apiserver-kubelet-client.key`,
    'kubelet-preferred-address-types': 'InternalIP,ExternalIP,Hostname',
    profiling: 'false',
    'proxy-client-cert-file': `${SECRETS}/front-proxy-client.crt`,
    'proxy-client-key-file': `${SECRETS}/front-proxy-client.key`,
    'requestheader-allowed-names': 'front-proxy-client',
    'requestheader-client-ca-file': `${SECRETS}/aggregator-ca.crt`,
    'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
    'requestheader-group-headers': 'X-Remote-Group',
    'requestheader-username-headers': 'X-Remote-User',
    'secure-port': String(apiServer.port),
    'service-account-key-file': `${SECRETS}/service-account.pub`,
    'service-account-signing-key-file': `${SECRETS}/service-account.key`,
    'service-cluster-ip-range': settings.serviceSubnets.join(','),
    'tls-cert-file': `${SECRETS}/apiserver.crt`,
    ...(minor >= 14 ? {} : { 'tls-cipher-suites': CIPHERS }),
    'tls-min-version': minor >= 14 ? 'VersionTLS13' : 'VersionTLS12',
    'tls-private-key-file': `${SECRETS}/apiserver.key`,
  };
  const args = new Map<string, readonly string[]>(Object.entries(single).map(([name, value]) => [name, [value]]));
  return args.set('service-account-issuer', apiServer.issuers);
}
