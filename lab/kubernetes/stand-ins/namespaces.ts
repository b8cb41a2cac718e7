import { listAt, stringAt, type Json } from '../api-server/objects/types.ts';
import type { ApiClient } from '../http.ts';

/** The resources whose objects go with their namespace. */
const contents = [
  '/api/v1/namespaces/NS/configmaps',
  '/api/v1/namespaces/NS/secrets',
  '/api/v1/namespaces/NS/serviceaccounts',
  '/api/v1/namespaces/NS/events',
  '/apis/coordination.k8s.io/v1/namespaces/NS/leases',
];

const names = async (client: ApiClient, path: string, signal: AbortSignal): Promise<Set<string>> => {
  const { status, body } = await client.request('GET', path, { signal });
  if (status !== 200) throw new Error(`GET ${path}: ${status}`);
  return new Set(listAt(body, 'items').map((item) => stringAt(item, 'metadata', 'namespace') ?? ''));
};

/**
 * What kube-controller-manager does for namespaces, looked at as a whole: a `default` ServiceAccount and the ConfigMap
 * `kube-root-ca.crt` in each that lives; the content and then the finalizer of each that is on its way out. Resolves with
 * the names of those that live and have theirs.
 */
export async function reconcileNamespaces(
  client: ApiClient,
  rootCa: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const furnished = new Set<string>();
  const { status, body } = await client.request('GET', '/api/v1/namespaces', { signal });
  if (status !== 200) throw new Error(`GET /api/v1/namespaces: ${status}`);
  const [accounts, roots] = await Promise.all([
    names(client, '/api/v1/serviceaccounts?fieldSelector=metadata.name%3Ddefault', signal),
    names(client, '/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt', signal),
  ]);
  for (const namespace of listAt(body, 'items')) {
    const name = stringAt(namespace, 'metadata', 'name') ?? '';
    if (stringAt(namespace, 'metadata', 'deletionTimestamp') !== undefined) {
      await finish(client, name, namespace, signal);
      continue;
    }
    if (!accounts.has(name))
      await create(client, `/api/v1/namespaces/${name}/serviceaccounts`, signal, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default', namespace: name },
      });
    if (!roots.has(name))
      await create(client, `/api/v1/namespaces/${name}/configmaps`, signal, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: 'kube-root-ca.crt',
          namespace: name,
          annotations: {
            'kubernetes.io/description':
              'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
          },
        },
        data: { 'ca.crt': rootCa },
      });
    furnished.add(name);
  }
  return furnished;
}

async function create(client: ApiClient, path: string, signal: AbortSignal, body: unknown): Promise<void> {
  const { status, body: answer } = await client.request('POST', path, { body, signal });
  // Taken in the meantime, or its namespace has gone: the next look decides.
  if (status === 201 || status === 409 || status === 404 || status === 403) return;
  throw new Error(`POST ${path}: ${status} ${stringAt(answer, 'message') ?? ''}`);
}

async function finish(client: ApiClient, name: string, namespace: Json, signal: AbortSignal): Promise<void> {
  for (const template of contents) {
    const path = template.replace('NS', name);
    const { status } = await client.request('DELETE', path, { signal });
    if (status !== 200) throw new Error(`DELETE ${path}: ${status}`);
  }
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: { finalizers: [] } };
  const version = stringAt(namespace, 'metadata', 'resourceVersion');
  const { status } = await client.request('PUT', `/api/v1/namespaces/${name}/finalize`, {
    body: { ...body, metadata: { name, ...(version === undefined ? {} : { resourceVersion: version }) } },
    signal,
  });
  if (status !== 200 && status !== 404 && status !== 409) throw new Error(`finalize ${name}: ${status}`);
}
