import { apiVersionOf, type Resource } from '../objects/resources.ts';
import { isRecord, listAt, recordAt, stringAt, type Json, type KubeObject } from '../objects/types.ts';

/** A column of the table that kubectl prints. Priority 1 shows with `-o wide` only. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer';
  readonly format: '' | 'name';
  readonly priority: 0 | 1;
  readonly cell: (object: KubeObject, now: Date) => Json;
}

const column = (name: string, cell: Column['cell'], priority: 0 | 1 = 0): Column => ({
  name,
  type: 'string',
  format: name === 'Name' ? 'name' : '',
  priority,
  cell,
});

const none = '<none>';
const name = column('Name', (object) => object.metadata.name ?? '');
const age = column('Age', (object, now) => ageOf(object.metadata.creationTimestamp, now));

/** `5s`, `3m20s`, `2d`: an age as kubectl writes it. */
export function ageOf(timestamp: string | undefined, now: Date): string {
  if (timestamp === undefined) return '<unknown>';
  const seconds = Math.floor((now.getTime() - Date.parse(timestamp)) / 1000);
  if (Number.isNaN(seconds)) return '<unknown>';
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
    small === 0 ? `${big}${bigUnit}` : `${big}${bigUnit}${small}${smallUnit}`;
  if (seconds < 120) return `${seconds}s`;
  if (minutes < 10) return pair(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  if (hours < 8) return pair(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  if (days < 8) return pair(days, 'd', hours % 24, 'h');
  if (days < 730) return `${days}d`;
  const years = Math.floor(days / 365);
  return years < 8 ? pair(years, 'y', days % 365, 'd') : `${years}y`;
}

const count = (value: unknown): number => (isRecord(value) ? Object.keys(value).length : 0);

function nodeStatus(node: KubeObject): string {
  const ready = listAt(node, 'status', 'conditions').find((one) => stringAt(one, 'type') === 'Ready');
  const status = stringAt(ready, 'status');
  const word = status === undefined ? 'Unknown' : status === 'True' ? 'Ready' : 'NotReady';
  return recordAt(node, 'spec')?.['unschedulable'] === true ? `${word},SchedulingDisabled` : word;
}

function nodeRoles(node: KubeObject): string {
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([label, value]) => {
    if (label.startsWith('node-role.kubernetes.io/')) return [label.slice('node-role.kubernetes.io/'.length)];
    return label === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return roles.length === 0 ? none : [...new Set(roles)].toSorted().join(',');
}

const addressOf =
  (type: string) =>
  (node: KubeObject): string =>
    stringAt(
      listAt(node, 'status', 'addresses').find((one) => stringAt(one, 'type') === type),
      'address',
    ) ?? none;

const nodeInfo = (field: string) => (node: KubeObject) => stringAt(node, 'status', 'nodeInfo', field) ?? '<unknown>';

const lastSeen = (event: KubeObject): string | undefined =>
  stringAt(event, 'lastTimestamp') ?? stringAt(event, 'eventTime') ?? event.metadata.creationTimestamp;

function eventObject(event: KubeObject): string {
  const kind = stringAt(event, 'involvedObject', 'kind') ?? '';
  return `${kind.toLowerCase()}/${stringAt(event, 'involvedObject', 'name') ?? ''}`;
}

function endpointsText(object: KubeObject): string {
  const texts = listAt(object, 'subsets').flatMap((subset) =>
    listAt(subset, 'ports').flatMap((port) =>
      listAt(subset, 'addresses').map((one) => {
        const number = isRecord(port) ? port['port'] : undefined;
        return `${stringAt(one, 'ip') ?? ''}:${typeof number === 'number' ? number : ''}`;
      }),
    ),
  );
  return texts.length === 0 ? none : texts.join(',');
}

const servicePorts = (object: KubeObject): string =>
  listAt(object, 'spec', 'ports')
    .map((port) => {
      const number = isRecord(port) ? port['port'] : undefined;
      return `${typeof number === 'number' ? number : ''}/${stringAt(port, 'protocol') ?? 'TCP'}`;
    })
    .join(',');

const containersOf = (pod: KubeObject): readonly Json[] => listAt(pod, 'status', 'containerStatuses');

const readyContainers = (pod: KubeObject): string => {
  const ready = containersOf(pod).filter(
    (one) => isRecord(one) && one['ready'] === true && recordAt(one, 'state', 'running') !== undefined,
  ).length;
  return `${ready}/${listAt(pod, 'spec', 'containers').length}`;
};

const restarts = (pod: KubeObject): string =>
  String(containersOf(pod).reduce<number>((sum, one) => sum + Number(recordAt(one)?.['restartCount'] ?? 0), 0));

const tables: Readonly<Record<string, readonly Column[]>> = {
  'v1/nodes': [
    name,
    column('Status', nodeStatus),
    column('Roles', nodeRoles),
    age,
    column('Version', (node) => stringAt(node, 'status', 'nodeInfo', 'kubeletVersion') ?? ''),
    column('Internal-IP', addressOf('InternalIP'), 1),
    column('External-IP', addressOf('ExternalIP'), 1),
    column('OS-Image', nodeInfo('osImage'), 1),
    column('Kernel-Version', nodeInfo('kernelVersion'), 1),
    column('Container-Runtime', nodeInfo('containerRuntimeVersion'), 1),
  ],
  'v1/namespaces': [name, column('Status', (object) => stringAt(object, 'status', 'phase') ?? ''), age],
  'v1/configmaps': [name, column('Data', (object) => count(object['data']) + count(object['binaryData'])), age],
  'v1/secrets': [
    name,
    column('Type', (object) => stringAt(object, 'type') ?? ''),
    column('Data', (object) => count(object['data'])),
    age,
  ],
  'v1/serviceaccounts': [name, age],
  'v1/services': [
    name,
    column('Type', (object) => stringAt(object, 'spec', 'type') ?? ''),
    column('Cluster-IP', (object) => stringAt(object, 'spec', 'clusterIP') ?? none),
    column('External-IP', () => none),
    column('Port(s)', servicePorts),
    age,
    column('Selector', () => none, 1),
  ],
  'v1/endpoints': [name, column('Endpoints', endpointsText), age],
  'v1/pods': [
    name,
    column('Ready', readyContainers),
    column('Status', (object) => stringAt(object, 'status', 'phase') ?? ''),
    column('Restarts', restarts),
    age,
    column('IP', (object) => stringAt(object, 'status', 'podIP') ?? none, 1),
    column('Node', (object) => stringAt(object, 'spec', 'nodeName') ?? none, 1),
    column('Nominated Node', () => none, 1),
    column('Readiness Gates', () => none, 1),
  ],
  'v1/events': [
    column('Last Seen', (event, now) => ageOf(lastSeen(event), now)),
    column('Type', (event) => stringAt(event, 'type') ?? ''),
    column('Reason', (event) => stringAt(event, 'reason') ?? ''),
    column('Object', eventObject),
    column('Source', (event) => stringAt(event, 'source', 'component') ?? '', 1),
    column('Message', (event) => (stringAt(event, 'message') ?? '').trim()),
    { ...name, priority: 1 },
  ],
  'coordination.k8s.io/v1/leases': [
    name,
    column('Holder', (object) => stringAt(object, 'spec', 'holderIdentity') ?? ''),
    age,
  ],
};

/** What kubectl shows of a resource; name and creation time where nothing better is known, as kube-apiserver does it. */
export const columnsOf = (resource: Resource): readonly Column[] =>
  tables[`${apiVersionOf(resource)}/${resource.plural}`] ?? [
    name,
    column('Created At', (object) => object.metadata.creationTimestamp ?? ''),
  ];
