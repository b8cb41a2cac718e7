import type { V1Lease, V1Secret } from '@kubernetes/client-node';
import { Redacted } from '../../base/redacted.ts';
import { USER_AGENT } from '../user-agent.ts';
import { KubernetesError, toKubernetesError } from './errors.ts';
import { type KubernetesApis, type Library, loadLibrary } from './library.ts';
import type { KubeContext, KubernetesClient, LeaseRecord, SecretRecord, Workload } from './types.ts';

export interface KubernetesOptions {
  /** Another server than the context's: a node's own API server, say. It must show a certificate for its own host. */
  readonly server?: string;
  /** Default `fairlead/<version>`. */
  readonly userAgent?: string;
  /** Longest wait for one answer. Default 10 s. */
  readonly timeoutMs?: number;
}

/**
 * Ordinary Kubernetes calls with the credentials of a context, verified against its CA. Every failure is a
 * KubernetesError, except the caller's own abort, which comes back as the signal's reason.
 */
export function createKubernetesClient(context: KubeContext, options: KubernetesOptions = {}): KubernetesClient {
  const { server = context.server, userAgent = USER_AGENT, timeoutMs = 10_000 } = options;
  let library: Promise<Library> | undefined;

  async function call<T>(signal: AbortSignal | undefined, send: (apis: KubernetesApis) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    const limit = AbortSignal.timeout(timeoutMs);
    try {
      library ??= loadLibrary(context, server, userAgent);
      const loaded = await library;
      return await send(loaded.apis(signal === undefined ? limit : AbortSignal.any([limit, signal])));
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason;
      if (limit.aborted) throw new KubernetesError('timeout', server, `no answer within ${timeoutMs} ms`);
      throw toKubernetesError(error, server);
    }
  }

  const codeIs = (error: unknown, code: KubernetesError['code']): boolean =>
    error instanceof KubernetesError && error.code === code;

  const configMapOf = (namespace: string, name: string, data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace },
    data,
  });

  async function create(
    namespace: string,
    name: string,
    data: Record<string, string>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const body = configMapOf(namespace, name, data);
    const once = () => call(signal, ({ core }) => core.createNamespacedConfigMap({ namespace, body }));
    try {
      await once();
    } catch (error) {
      // What a create does not find is its namespace.
      if (!codeIs(error, 'not-found')) throw error;
      await call(signal, ({ core }) =>
        core.createNamespace({ body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } } }),
      );
      await once();
    }
  }

  return {
    server,

    version: (signal) => call(signal, async ({ version }) => (await version.getCode()).gitVersion),

    nodes: (signal) =>
      call(signal, async ({ core }) =>
        (await core.listNode()).items.map(({ metadata, status }) => ({
          name: metadata?.name ?? '',
          ready: status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false,
          addresses: (status?.addresses ?? []).map(({ type, address }) => ({ type, address })),
        })),
      ),

    async workloads(signal) {
      type Item = { metadata?: { namespace?: string; name?: string } };
      type Spec = { containers?: { image?: string }[] } | undefined;
      const named = (kind: Workload['kind'], { metadata }: Item, spec: Spec): Workload => ({
        kind,
        namespace: metadata?.namespace ?? '',
        name: metadata?.name ?? '',
        images: (spec?.containers ?? []).flatMap(({ image }) => image ?? []),
      });
      // A server that does not know a kind has none of it.
      const listed = (list: Promise<Workload[]>): Promise<Workload[]> =>
        list.catch((error: unknown) => {
          if (codeIs(error, 'not-found')) return [];
          throw error;
        });
      const all = await Promise.all([
        listed(
          call(signal, async ({ apps }) =>
            (await apps.listDaemonSetForAllNamespaces()).items.map((i) => named('DaemonSet', i, i.spec?.template.spec)),
          ),
        ),
        listed(
          call(signal, async ({ apps }) =>
            (await apps.listDeploymentForAllNamespaces()).items.map((i) =>
              named('Deployment', i, i.spec?.template.spec),
            ),
          ),
        ),
        listed(
          call(signal, async ({ core }) =>
            (await core.listNamespacedPod({ namespace: 'kube-system' })).items.map((i) => named('Pod', i, i.spec)),
          ),
        ),
      ]);
      return all.flat();
    },

    serviceAccountToken: (namespace, name, ttlSeconds, signal) =>
      call(signal, async ({ core }) => {
        const { status } = await core.createNamespacedServiceAccountToken({
          namespace,
          name,
          // An empty list of audiences means the API server's own.
          body: { spec: { audiences: [], expirationSeconds: ttlSeconds } },
        });
        const token = status?.token ?? '';
        if (token === '') throw new KubernetesError('other', server, 'the API server answered without a token');
        return new Redacted(token);
      }),

    async ensureConfigMap(namespace, name, data, signal) {
      try {
        const found = await call(signal, ({ core }) => core.readNamespacedConfigMap({ namespace, name }));
        if (sameData(found.data ?? {}, data)) return;
        const body = configMapOf(namespace, name, data);
        await call(signal, ({ core }) => core.replaceNamespacedConfigMap({ namespace, name, body }));
      } catch (error) {
        if (!codeIs(error, 'not-found')) throw error;
        await create(namespace, name, data, signal);
      }
    },

    async deleteConfigMap(namespace, name, signal) {
      try {
        await call(signal, ({ core }) => core.deleteNamespacedConfigMap({ namespace, name }));
      } catch (error) {
        if (!codeIs(error, 'not-found')) throw error;
      }
    },

    async lease(namespace, name, signal) {
      try {
        return leaseRecord(
          await call(signal, ({ coordination }) => coordination.readNamespacedLease({ namespace, name })),
        );
      } catch (error) {
        if (codeIs(error, 'not-found')) return undefined;
        throw error;
      }
    },

    async writeLease(namespace, name, lease, signal) {
      const { V1MicroTime } = await import('@kubernetes/client-node');
      const micro = (time: Date | undefined) => (time === undefined ? undefined : new V1MicroTime(time));
      const [acquireTime, renewTime] = [micro(lease.acquired), micro(lease.renewed)];
      const body: V1Lease = {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: metadataOf(namespace, name, lease.resourceVersion),
        spec: {
          holderIdentity: lease.holder,
          leaseDurationSeconds: lease.durationSeconds,
          leaseTransitions: lease.transitions,
          ...(acquireTime === undefined ? {} : { acquireTime }),
          ...(renewTime === undefined ? {} : { renewTime }),
        },
      };
      return leaseRecord(
        await call(signal, ({ coordination }) =>
          lease.resourceVersion === undefined
            ? coordination.createNamespacedLease({ namespace, body })
            : coordination.replaceNamespacedLease({ namespace, name, body }),
        ),
      );
    },

    async secret(namespace, name, signal) {
      try {
        return secretRecord(await call(signal, ({ core }) => core.readNamespacedSecret({ namespace, name })));
      } catch (error) {
        if (codeIs(error, 'not-found')) return undefined;
        throw error;
      }
    },

    async writeSecret(namespace, name, secret, signal) {
      const body: V1Secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        type: 'Opaque',
        metadata: { ...metadataOf(namespace, name, secret.resourceVersion), labels: { ...secret.labels } },
        data: Object.fromEntries(
          Object.entries(secret.data).map(([key, value]) => [
            key,
            Buffer.from(value.reveal(), 'utf8').toString('base64'),
          ]),
        ),
      };
      return secretRecord(
        await call(signal, ({ core }) =>
          secret.resourceVersion === undefined
            ? core.createNamespacedSecret({ namespace, body })
            : core.replaceNamespacedSecret({ namespace, name, body }),
        ),
      );
    },

    close() {
      void library?.then((l) => l.close()).catch(() => {});
      library = undefined;
    },
  };
}

const metadataOf = (namespace: string, name: string, resourceVersion: string | undefined) => ({
  name,
  namespace,
  ...(resourceVersion === undefined ? {} : { resourceVersion }),
});

/** The library's types say Date; what comes is the text of the answer. */
const dateOf = (time: Date | string | undefined): Date | undefined => (time === undefined ? undefined : new Date(time));

const leaseRecord = ({ metadata, spec }: V1Lease): LeaseRecord => ({
  holder: spec?.holderIdentity ?? '',
  durationSeconds: spec?.leaseDurationSeconds ?? 0,
  acquired: dateOf(spec?.acquireTime),
  renewed: dateOf(spec?.renewTime),
  transitions: spec?.leaseTransitions ?? 0,
  resourceVersion: metadata?.resourceVersion,
});

const secretRecord = ({ metadata, data }: V1Secret): SecretRecord => ({
  data: Object.fromEntries(
    Object.entries(data ?? {}).map(([key, value]) => [
      key,
      new Redacted(Buffer.from(value, 'base64').toString('utf8')),
    ]),
  ),
  labels: metadata?.labels ?? {},
  resourceVersion: metadata?.resourceVersion,
});

const sameData = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean => {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
};
