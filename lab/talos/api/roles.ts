import { Code, ConnectError } from '@connectrpc/connect';

/** Roles of the Talos API: the Organization of the client's certificate. */
export type Role = 'os:admin' | 'os:operator' | 'os:reader' | 'os:etcd:backup' | 'os:impersonator';

const ADMIN: readonly Role[] = ['os:admin'];
const OPERATOR: readonly Role[] = ['os:admin', 'os:operator'];
const READER: readonly Role[] = ['os:admin', 'os:operator', 'os:reader'];

/** Who may call what; a call that is not listed is for administrators. */
const ALLOWED: Readonly<Record<string, readonly Role[]>> = {
  Version: [...READER, 'os:etcd:backup'],
  Hostname: READER,
  ServiceList: READER,
  EtcdMemberList: [...READER, 'os:etcd:backup'],
  EtcdStatus: [...READER, 'os:etcd:backup'],
  EtcdAlarmList: [...READER, 'os:etcd:backup'],
  SystemStat: READER,
  Logs: READER,
  Dmesg: READER,
  Events: READER,
  Get: READER,
  List: READER,
  Watch: READER,
  Reboot: OPERATOR,
  Shutdown: OPERATOR,
  ServiceRestart: OPERATOR,
  EtcdSnapshot: ['os:admin', 'os:operator', 'os:etcd:backup'],
};

/** Throws PERMISSION_DENIED, in Talos' words, unless one of the roles may make the call. */
export function authorize(method: string, roles: readonly string[]): void {
  const allowed: readonly string[] = ALLOWED[method] ?? ADMIN;
  if (!roles.some((role) => allowed.includes(role))) {
    throw new ConnectError('not authorized', Code.PermissionDenied);
  }
}

/** COSI types that hold secrets: administrators only. */
const SENSITIVE = new Set([
  'MachineConfigs.config.talos.dev',
  'OperatorSpecs.net.talos.dev',
  'APIServerConfigs.kubernetes.talos.dev',
  'CertSANs.secrets.talos.dev',
]);

export function authorizeResource(type: string, roles: readonly string[]): void {
  if (SENSITIVE.has(type) && !roles.includes('os:admin')) {
    throw new ConnectError('not authorized', Code.PermissionDenied);
  }
}
