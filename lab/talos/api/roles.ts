import { Code, ConnectError } from '@connectrpc/connect';

/** Roles of the Talos API: the Organization of the client's certificate. */
export type Role =
  | 'os:admin'
  | 'os:operator'
  | 'os:reader'
  | 'os:etcd:backup'
  | 'os:meta:writer'
  | 'os:image:verifier'
  | 'os:impersonator';

const OPERATOR: readonly Role[] = ['os:admin', 'os:operator'];
const READER: readonly Role[] = [...OPERATOR, 'os:reader'];
const BACKUP: readonly Role[] = [...READER, 'os:etcd:backup'];

const table = (service: string, methods: string, roles: readonly Role[]): [string, readonly Role[]][] =>
  methods.split(' ').map((method) => [`${service}/${method}`, roles]);

/** Who may call what, as machined has it; a call that is not listed is for administrators. */
const ALLOWED = new Map<string, readonly Role[]>([
  ...table('cluster.ClusterService', 'HealthCheck', READER),
  ...table('inspect.InspectService', 'ControllerRuntimeDependencies', READER),
  ...table('machine.ImageService', 'List', READER),
  ...table('machine.ImageService', 'Pull', OPERATOR),
  ...table('machine.ImageService', 'Verify', [...READER, 'os:image:verifier']),
  ...table(
    'machine.MachineService',
    // A reader may apply in maintenance only, which the call itself sees to.
    'ApplyConfiguration CPUInfo CPUFreqStats Containers DiskStats DiskUsage Dmesg Events Hostname ImageList List LoadAvg ' +
      'Logs LogsContainers Memory Mounts NetworkDeviceStats Netstat Processes ServiceList Stats SystemStat Version',
    READER,
  ),
  ...table('machine.MachineService', 'EtcdAlarmList EtcdMemberList EtcdStatus', BACKUP),
  ...table('machine.MachineService', 'EtcdSnapshot', [...OPERATOR, 'os:etcd:backup']),
  ...table(
    'machine.MachineService',
    'EtcdAlarmDisarm EtcdDefragment ImagePull PacketCapture Reboot Restart ServiceRestart ServiceStart ServiceStop Shutdown',
    OPERATOR,
  ),
  ...table('machine.MachineService', 'MetaWrite MetaDelete', ['os:admin', 'os:meta:writer']),
  ...table('cosi.resource.State', 'Get List Watch', READER),
  ...table('storage.StorageService', 'Disks', READER),
  ...table('time.TimeService', 'Time TimeCheck', READER),
]);

/** Throws PERMISSION_DENIED, in Talos' words, unless one of the roles may make the call (`package.Service/Method`). */
export function authorize(call: string, roles: readonly string[]): void {
  const allowed: readonly string[] = ALLOWED.get(call) ?? ['os:admin'];
  if (!roles.some((role) => allowed.includes(role))) notAuthorized();
}

/**
 * What Talos up to 1.12 has for a machine without a config: little else than the way to give it one. (It tells its version
 * only to SideroLink; the lab tells it to everyone, as clients ask for it before they do anything else.)
 */
const OLD_MAINTENANCE = new Set([
  'machine.MachineService/Version',
  'machine.MachineService/ApplyConfiguration',
  'cosi.resource.State/Get',
  'cosi.resource.State/List',
  'cosi.resource.State/Watch',
  'storage.StorageService/Disks',
]);

/** Throws UNIMPLEMENTED where the release has the call only for machines that have a config. */
export function availableInMaintenance(call: string, version: string): void {
  if (/^v1\.1[12]\./.test(version) && !OLD_MAINTENANCE.has(call)) {
    throw new ConnectError('API is not implemented in maintenance mode', Code.Unimplemented);
  }
}

export function notAuthorized(): never {
  throw new ConnectError('not authorized', Code.PermissionDenied);
}
