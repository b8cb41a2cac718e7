import { minorOf } from '../config/settings.ts';
import type { TalosVersion } from '../types.ts';
import { DEFINITIONS } from './definitions.table.ts';
import type { Resource } from './resource.ts';

/** A resource type as a node of one release knows it. */
export interface ResourceDefinition {
  readonly type: string;
  readonly displayType: string;
  readonly defaultNamespace: string;
  readonly sensitive: boolean;
  /** The spec of the ResourceDefinitions resource, its keys in Talos' order. */
  readonly spec: Readonly<Record<string, unknown>>;
}

export interface Registry {
  /** By type name, whatever its case, as Talos looks it up. */
  definition(type: string): ResourceDefinition | undefined;
  hasNamespace(namespace: string): boolean;
  /** What the node tells about its types and namespaces. */
  readonly resources: readonly Resource[];
}

const META = 'meta';
const DESCRIPTIONS: Readonly<Record<string, string>> = {
  meta: 'Metadata namespace which contains resource and namespace definitions.',
  runtime: 'Talos v1alpha1 subsystems glue resources.',
  cluster: 'Cluster configuration and discovery resources.',
  'cluster-raw': 'Cluster unmerged raw resources.',
  config: 'Talos node configuration.',
  etcd: 'etcd resources.',
  files: 'Files and file-like resources.',
  hardware: 'Hardware resources.',
  k8s: 'Kubernetes all node types resources.',
  controlplane: 'Kubernetes control plane resources.',
  kubespan: 'KubeSpan resources.',
  network: 'Networking resources.',
  'network-config': 'Networking configuration resources.',
  cri: 'CRI Seccomp resources.',
  secrets: 'Resources with secret material.',
  perf: 'Stats resources.',
  security: 'Security resources.',
  storage: 'Storage resources.',
  containers: 'Talos-managed container resources.',
};
/** Minor releases since which a namespace is there; those not listed always were. */
const NAMESPACE_SINCE: Readonly<Record<string, number>> = { security: 13, storage: 14, containers: 14 };

const registries = new Map<string, Registry>();

/** What a node of a release knows of types and namespaces. */
export function registryOf(version: TalosVersion): Registry {
  const known = registries.get(version);
  if (known !== undefined) return known;
  const made = createRegistry(minorOf(version));
  registries.set(version, made);
  return made;
}

function createRegistry(minor: number): Registry {
  const definitions = DEFINITIONS.map((line) => line.split('|'))
    .filter(([, , , releases = '']) => covers(releases, minor))
    .map(readDefinition);
  const byId = new Map(definitions.map((definition) => [definition.type.toLowerCase(), definition]));
  const namespaces = Object.entries(DESCRIPTIONS).filter(([name]) => (NAMESPACE_SINCE[name] ?? 0) <= minor);
  const names = new Set(namespaces.map(([name]) => name));
  const meta = (type: string, id: string, spec: unknown): Resource => ({
    namespace: META,
    type: `${type}.meta.cosi.dev`,
    id,
    owner: META,
    spec,
  });
  return {
    definition: (type) => byId.get(type.toLowerCase()),
    hasNamespace: (namespace) => names.has(namespace),
    resources: [
      ...namespaces.map(([name, description]) => meta('Namespaces', name, { description })),
      ...[...byId].map(([id, { spec }]) => meta('ResourceDefinitions', id, spec)),
    ],
  };
}

function covers(releases: string, minor: number): boolean {
  const [since, until] = releases.split('-').map((release) => Number(release.split('.')[1]));
  return since !== undefined && since <= minor && (until === undefined || minor <= until);
}

/** Aliases follow from the name: its singular, its capitals, and itself with ever more of its suffix. */
function readDefinition(line: readonly string[]): ResourceDefinition {
  const [type = '', displayType = '', defaultNamespace = '', , flags = '', own = '', columns = ''] = line;
  const [name = '', ...suffix] = type.split('.');
  const explicit = flags.includes('explicit');
  const sensitive = flags.includes('sensitive');
  const capitals = name.replaceAll(/[^A-Z]/g, '').toLowerCase();
  const short = capitals.length < 2 ? [] : capitals.endsWith('s') ? [capitals] : [capitals, `${capitals}s`];
  const aliases = [...list(own, ','), ...(explicit ? [] : [displayType.toLowerCase(), ...short])];
  const long = suffix.map((_, i) => [name.toLowerCase(), ...suffix.slice(0, i)].join('.'));
  return {
    type,
    displayType,
    defaultNamespace,
    sensitive,
    spec: {
      type,
      displayType,
      defaultNamespace,
      aliases,
      allAliases: [...(explicit ? [] : long), ...aliases],
      ...(explicit ? { skipAutomaticAliases: true } : {}),
      printColumns: list(columns, ';').map((column) => {
        const at = column.indexOf('=');
        return { name: column.slice(0, at), jsonPath: column.slice(at + 1) };
      }),
      ...(sensitive ? { sensitivity: 'sensitive' } : {}),
    },
  };
}

const list = (text: string, separator: string): string[] => (text === '' ? [] : text.split(separator));
