import { isMap, isSeq, type YAMLMap } from 'yaml';
import {
  caDigest,
  decodeBase64,
  entriesOf,
  findEntry,
  type KubeconfigDocument,
  parseKubeconfigDocument,
  readContext,
  type Section,
  textAt,
} from './document.ts';

/**
 * Puts a freshly fetched kubeconfig (one cluster, one user, one context) into an existing one and gives the new text. Entries of
 * the same cluster (same CA) are replaced where they stand, under the names they have there; everything else, comments and order
 * included, stays. A name that is taken by another cluster gets a number, as talosctl does it. `asked` is the context's name.
 */
export function mergeKubeconfig(existing: string | undefined, fetched: string, asked: string | undefined): string {
  const source = parseKubeconfigDocument(fetched);
  const parts = fetchedParts(source);
  const target = parseKubeconfigDocument(existing === undefined || existing.trim() === '' ? EMPTY : existing);
  const home = asked ?? contextWithCa(target, parts.ca);
  const present = home === undefined ? undefined : readContext(target, home);
  const contextName = home ?? free(target, 'contexts', parts.context);
  const clusterName = present?.cluster ?? freeOrSame(target, parts);
  // A user that a context of another cluster has too is that cluster's credential: it gets a neighbour, not a successor.
  const shared = present !== undefined && isUsedElsewhere(target, present.user, clusterName);
  const userName = present === undefined || shared ? free(target, 'users', parts.user) : present.user;
  put(target, 'clusters', clusterName, 'cluster', plain(parts.clusterBody));
  put(target, 'users', userName, 'user', plain(parts.userBody));
  if (present === undefined) {
    const context = { cluster: clusterName, user: userName, namespace: parts.namespace ?? 'default' };
    put(target, 'contexts', contextName, 'context', context);
  }
  if (shared) findEntry(target, 'contexts', contextName)?.setIn(['context', 'user'], userName);
  const current: unknown = target.get('current-context');
  if (typeof current !== 'string' || current === '') target.set('current-context', contextName);
  return target.toString({ lineWidth: 0 });
}

const EMPTY = 'apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\npreferences: {}\n';

interface Parts {
  readonly context: string;
  readonly cluster: string;
  readonly user: string;
  readonly namespace: string | undefined;
  readonly ca: string;
  readonly clusterBody: YAMLMap;
  readonly userBody: YAMLMap;
}

function fetchedParts(source: KubeconfigDocument): Parts {
  const [first] = entriesOf(source, 'contexts');
  const read = first === undefined ? undefined : readContext(source, first.name);
  const clusterBody: unknown =
    read === undefined ? undefined : findEntry(source, 'clusters', read.cluster)?.get('cluster');
  const userBody: unknown = read === undefined ? undefined : findEntry(source, 'users', read.user)?.get('user');
  if (first === undefined || read?.ca === undefined || !isMap(clusterBody) || !isMap(userBody)) {
    throw new Error('the kubeconfig that the node gave has no complete context');
  }
  const namespace = textAt(first.entry, 'context', 'namespace');
  return { context: first.name, cluster: read.cluster, user: read.user, namespace, ca: read.ca, clusterBody, userBody };
}

const plain = (body: YAMLMap): unknown => body.toJSON();

/** The context of the same cluster, the current one first. */
function contextWithCa(target: KubeconfigDocument, ca: string): string | undefined {
  const digest = caDigest(decodeBase64(ca));
  const current: unknown = target.get('current-context');
  return entriesOf(target, 'contexts')
    .map((entry) => entry.name)
    .toSorted((a, b) => Number(b === current) - Number(a === current))
    .find((name) => {
      const other = readContext(target, name)?.ca;
      return other !== undefined && caDigest(decodeBase64(other)) === digest;
    });
}

function freeOrSame(target: KubeconfigDocument, parts: Parts): string {
  const same = entriesOf(target, 'clusters').find(({ entry }) => {
    const ca = textAt(entry, 'cluster', 'certificate-authority-data');
    return ca !== undefined && caDigest(decodeBase64(ca)) === caDigest(decodeBase64(parts.ca));
  });
  return same?.name ?? free(target, 'clusters', parts.cluster);
}

const isUsedElsewhere = (target: KubeconfigDocument, user: string, cluster: string): boolean =>
  entriesOf(target, 'contexts').some(({ entry }) => {
    const [otherUser, otherCluster] = [textAt(entry, 'context', 'user'), textAt(entry, 'context', 'cluster')];
    return otherUser === user && otherCluster !== undefined && otherCluster !== cluster;
  });

function free(target: KubeconfigDocument, section: Section, name: string): string {
  const taken = new Set(entriesOf(target, section).map((entry) => entry.name));
  let candidate = name;
  for (let n = 1; taken.has(candidate); n += 1) candidate = `${name}-${n}`;
  return candidate;
}

function put(target: KubeconfigDocument, section: Section, name: string, key: string, body: unknown): void {
  const entry = findEntry(target, section, name);
  if (entry !== undefined) {
    entry.set(key, target.createNode(body));
    return;
  }
  const list: unknown = target.get(section, true);
  const item = target.createNode({ name, [key]: body });
  if (isSeq(list)) {
    list.flow = false;
    list.add(item);
  } else {
    target.set(section, target.createNode([item]));
  }
}
