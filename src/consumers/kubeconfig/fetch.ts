import { EXIT, Failure, textOf } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import type { Systems } from '../../observe/systems.ts';
import type { KubeContext } from '../../systems/kubernetes/types.ts';
import {
  caDigest,
  decodeBase64,
  entriesOf,
  findEntry,
  parseKubeconfigDocument,
  readContext,
  textAt,
} from './document.ts';

/**
 * Fetches a kubeconfig from a control plane (this mints an administrator's certificate) and proves it before anybody gets it: its
 * server is the endpoint, its CA the cluster's, and `/readyz` answers through the endpoint with its own credentials.
 */
export async function fetchKubeconfig(
  systems: Pick<Systems, 'talos' | 'ready' | 'kubeContext'>,
  address: string,
  wantedUrl: string,
  signal?: AbortSignal,
): Promise<Redacted> {
  const fetched = await systems.talos(address).kubeconfig(signal);
  const fail = (why: string, next: string): Failure =>
    new Failure({
      code: 'kubeconfig-not-proven',
      exit: EXIT.refused,
      what: `The kubeconfig from ${address} is not good`,
      why,
      state: 'No kubeconfig was written.',
      next,
    });
  let context: KubeContext;
  try {
    const { lookup } = systems.kubeContext;
    context = { ...contextOf(fetched), ...(lookup === undefined ? {} : { lookup }) };
  } catch (error) {
    throw fail(textOf(error), `Look at it: talosctl -n ${address} kubeconfig -.`);
  }
  if (context.server !== wantedUrl) {
    throw fail(
      `its server is ${context.server}, the endpoint is ${wantedUrl}`,
      'Run `fairlead apply`: the endpoint is not right on every node.',
    );
  }
  if (caDigest(context.ca) !== caDigest(systems.kubeContext.ca)) {
    throw fail(
      'its CA is not the one of kubernetes.kubeconfig',
      'Check that talos.config and kubernetes.kubeconfig belong to one cluster.',
    );
  }
  const answer = await systems.ready(context, '/readyz', { timeoutMs: 5_000 });
  if (answer.kind === 'failed')
    throw fail(`/readyz through it: ${answer.reason}: ${answer.message}`, 'Run `fairlead verify` for the cause.');
  if (answer.status !== 200)
    throw fail(`/readyz through it answered ${answer.status}`, 'Run `fairlead verify` for the cause.');
  return fetched;
}

/** The credentials of a kubeconfig as a node gives it: one context, everything inline. */
export function contextOf(text: Redacted): KubeContext {
  const document = parseKubeconfigDocument(text.reveal());
  const [first] = entriesOf(document, 'contexts');
  const read = first === undefined ? undefined : readContext(document, first.name);
  const user = read === undefined ? undefined : findEntry(document, 'users', read.user);
  const key = textAt(user, 'user', 'client-key-data');
  if (read?.server === undefined || read.ca === undefined || read.certificate === undefined || key === undefined) {
    throw new Error('it has no complete context (server, CA, client certificate and key inline)');
  }
  return {
    name: read.name,
    cluster: read.cluster,
    user: read.user,
    server: read.server,
    tlsServerName: undefined,
    ca: decodeBase64(read.ca),
    auth: { kind: 'certificate', cert: decodeBase64(read.certificate), key: new Redacted(decodeBase64(key)) },
  };
}
