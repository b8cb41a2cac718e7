import { parseAllDocuments, stringify } from 'yaml';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The parts of a machine config whose change Talos reacts to as a whole, each as text to compare. What Talos derives
 * may be the same before and after (a name that the certificate has already) and it still reacts.
 */
export interface ConfigInputs {
  /** A change reissues kubeconfigs and certificates of Kubernetes, and recreates all three static pods. */
  readonly kubernetesRoot: string;
  /** A change reissues the certificate of the Talos API. */
  readonly talosRoot: string;
  readonly controllerManager: string;
  readonly scheduler: string;
  /** A change restarts the kubelet. */
  readonly kubelet: string;
}

export function inputsOf(text: string): ConfigInputs {
  const { main, documents } = documentsOf(text);
  const machine = fields(main['machine']);
  const cluster = fields(main['cluster']);
  const of = (kind: string): readonly Fields[] => documents.filter((document) => document['kind'] === kind);
  const apiServer = fields(cluster['apiServer']);
  return {
    kubernetesRoot: JSON.stringify([
      ...['controlPlane', 'clusterName', 'network', 'token', 'ca', 'acceptedCAs', 'aggregatorCA', 'serviceAccount'].map(
        (key) => cluster[key] ?? null,
      ),
      [cluster['aescbcEncryptionSecret'] ?? null, cluster['secretboxEncryptionSecret'] ?? null],
      apiServer['certSANs'] ?? [],
      of('KubeAPIServerConfig').map((document) => [document['certExtraSANs'] ?? [], document['apiPort'] ?? null]),
      ...['KubeClusterConfig', 'KubeServiceAccountConfig', 'KubeAPIServerCAConfig', 'KubeAggregatorCAConfig'].map(of),
    ]),
    talosRoot: JSON.stringify(['ca', 'acceptedCAs', 'certSANs', 'token'].map((key) => machine[key] ?? null)),
    controllerManager: JSON.stringify([cluster['controllerManager'] ?? null, of('KubeControllerManagerConfig')]),
    scheduler: JSON.stringify([cluster['scheduler'] ?? null, of('KubeSchedulerConfig')]),
    kubelet: JSON.stringify([machine['kubelet'] ?? null, of('KubeletConfig'), of('KubeNodeConfig')]),
  };
}

/** `machine.token`: what a worker shows to a control plane to get its certificate. */
export const machineToken = (text: string): string => {
  const token = fields(documentsOf(text).main['machine'])['token'];
  return typeof token === 'string' ? token : '';
};

const IMMEDIATE_MACHINE = new Set(
  (
    'ca acceptedCAs time certSANs install network sysfs sysctls logging controlPlane kubelet kernel registries pods ' +
    'seccompProfiles nodeAnnotations nodeLabels nodeTaints'
  ).split(' '),
);
const IMMEDIATE_FEATURES = new Set(
  'kubernetesTalosAPIAccess kubePrism hostDNS imageCache nodeAddressSortAlgorithm'.split(' '),
);

/** Up to Talos 1.13: whether the change from one config to the other takes effect without a reboot. */
export function canApplyImmediately(before: string, after: string): boolean {
  const rest = (text: string): string => {
    const { main } = documentsOf(text);
    const { debug: _debug, cluster: _cluster, machine, ...top } = main;
    const { features, ...others } = fields(machine);
    return JSON.stringify([
      sorted(top),
      sorted(without(others, IMMEDIATE_MACHINE)),
      sorted(without(fields(features), IMMEDIATE_FEATURES)),
    ]);
  };
  return rest(before) === rest(after);
}

/** The v1alpha1 document of a config, alone. */
export const mainDocument = (text: string): string => stringify(documentsOf(text).main);

/** The v1alpha1 document of `after` with all that takes effect at once as it is in `before`: what is left needs the reboot. */
export function withImmediateParts(before: string, after: string): string {
  const [was, is] = [documentsOf(before).main, documentsOf(after).main];
  const kept = (from: Fields, to: Fields, keys: Iterable<string>): Fields => {
    const entries = [...keys].flatMap((key) => (key in from ? [[key, from[key]]] : [])) as [string, unknown][];
    return { ...without(to, new Set(keys)), ...Object.fromEntries(entries) };
  };
  const [machineWas, machineIs] = [fields(was['machine']), fields(is['machine'])];
  const machine = kept(machineWas, machineIs, IMMEDIATE_MACHINE);
  const features =
    machineWas['features'] === undefined || machineIs['features'] === undefined
      ? machineIs['features']
      : kept(fields(machineWas['features']), fields(machineIs['features']), IMMEDIATE_FEATURES);
  return stringify({
    ...kept(was, is, ['debug', 'cluster']),
    machine: { ...machine, ...(features === undefined ? {} : { features }) },
  });
}

/** `cluster.id`: which cluster the machine's discovery looks for. */
export const clusterIdOf = (text: string): string | undefined => {
  const id = fields(documentsOf(text).main['cluster'])['id'];
  return typeof id === 'string' ? id : undefined;
};

const without = (object: Fields, keys: ReadonlySet<string>): Fields =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.has(key)));

const sorted = (object: Fields): [string, unknown][] =>
  Object.entries(object).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

/** The v1alpha1 document (the one without a kind), and the others. Unreadable text has neither. */
function documentsOf(text: string): { readonly main: Fields; readonly documents: readonly Fields[] } {
  const documents = parseAllDocuments(text).map((document) => fields(document.toJS()));
  return {
    main: documents.find((document) => document['kind'] === undefined) ?? {},
    documents: documents.filter((document) => document['kind'] !== undefined),
  };
}

const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
