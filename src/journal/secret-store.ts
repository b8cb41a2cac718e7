import { Redacted } from '../base/redacted.ts';
import { Failure } from '../base/failure.ts';
import { KubernetesError } from '../systems/kubernetes/errors.ts';
import type { KubernetesClient, SecretRecord } from '../systems/kubernetes/types.ts';
import { JOURNAL_FILE, type JournalStore } from './store.ts';

const PLACE = { namespace: 'kube-system', name: 'fairlead-journal' } as const;
const LABELS = { 'app.kubernetes.io/managed-by': 'fairlead' } as const;
/** Kubernetes: a Secret holds at most 1 MiB. What would not fit is refused before anything is changed. */
const LIMIT = 1024 * 1024 - 16 * 1024;

/** Keys of a Secret have letters, digits, hyphen, underscore and dot only. */
const keyOf = (name: string): string => name.replaceAll('/', '.');

/**
 * A Secret of the cluster, for machines without a disk of their own: `ask` runs a call at any control plane that answers. Lines stand
 * in it in clear, the originals sealed, so that who may read Secrets of kube-system does not thereby read machine configs.
 */
export function secretStore(
  ask: <T>(call: (client: KubernetesClient, limit: AbortSignal) => Promise<T>) => Promise<T>,
): JournalStore {
  const place = `Secret ${PLACE.namespace}/${PLACE.name}`;
  const read = (): Promise<SecretRecord | undefined> =>
    ask((client, limit) => client.secret(PLACE.namespace, PLACE.name, limit));

  async function change(edit: (data: Readonly<Record<string, Redacted>>) => Record<string, Redacted>): Promise<void> {
    for (;;) {
      const now = await read();
      const data = edit(now?.data ?? {});
      const size = Object.values(data).reduce((sum, value) => sum + value.reveal().length, 0);
      if (size > LIMIT) throw full(place, size);
      try {
        const secret = { data, labels: { ...now?.labels, ...LABELS }, resourceVersion: now?.resourceVersion };
        await ask((client, limit) => client.writeSecret(PLACE.namespace, PLACE.name, secret, limit));
        return;
      } catch (error) {
        // Somebody was faster, or an answer of our own was lost: look again, and add only what is not there.
        if (!(error instanceof KubernetesError && error.code === 'conflict')) throw error;
      }
    }
  }

  const lines = (data: Readonly<Record<string, Redacted>> | undefined): string => data?.[JOURNAL_FILE]?.reveal() ?? '';
  return {
    place,
    append: (line) =>
      change((data) =>
        lines(data).endsWith(`${line}\n`)
          ? { ...data }
          : { ...data, [JOURNAL_FILE]: new Redacted(`${lines(data)}${line}\n`) },
      ),
    lines: async () => lines((await read())?.data),
    async put(name, text) {
      await change((data) => ({ ...data, [keyOf(name)]: new Redacted(text) }));
      return `${place}, key ${keyOf(name)}`;
    },
    get: async (name) => (await read())?.data[keyOf(name)]?.reveal(),
  };
}

const full = (place: string, size: number): Failure =>
  new Failure({
    code: 'journal-full',
    exit: 4,
    what: `${place} is full`,
    why: `it would hold ${size} bytes, a Secret takes ${LIMIT}`,
    state: 'This was not written; the changes before it stand.',
    next: `Save it (kubectl -n ${PLACE.namespace} get secret ${PLACE.name} -o yaml), delete it, and run the same command again; or set state: to a folder.`,
  });
