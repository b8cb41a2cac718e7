import { createHash, X509Certificate } from 'node:crypto';
import { type Document, isMap, isScalar, isSeq, parseDocument, type YAMLMap } from 'yaml';

/** A kubeconfig as a syntax tree, so that what is not touched keeps its comments, order and quoting. */
export type KubeconfigDocument = Document;

export type Section = 'clusters' | 'users' | 'contexts';

/** Reads a kubeconfig's text. Throws with line and column where it is no kubeconfig. */
export function parseKubeconfigDocument(text: string): KubeconfigDocument {
  const document = parseDocument(text, { prettyErrors: true });
  const [error] = document.errors;
  if (error !== undefined) throw new Error(error.message.split('\n')[0] ?? error.message);
  if (document.contents !== null && !isMap(document.contents)) throw new Error('it is not a kubeconfig: no mapping');
  for (const section of ['clusters', 'users', 'contexts'] as const) {
    const node: unknown = document.get(section, true);
    const empty = node === undefined || node === null || (isScalar(node) && node.value === null);
    if (!empty && !isSeq(node)) throw new Error(`it is not a kubeconfig: ${section} is no list`);
  }
  return document;
}

/** The entries of a section with their names; entries that are no mappings are passed over and kept. */
export function entriesOf(document: KubeconfigDocument, section: Section): readonly { name: string; entry: YAMLMap }[] {
  const list: unknown = document.get(section, true);
  if (!isSeq(list)) return [];
  return list.items.flatMap((item) => {
    if (!isMap(item)) return [];
    const name: unknown = item.get('name');
    return typeof name === 'string' ? [{ name, entry: item }] : [];
  });
}

export function findEntry(document: KubeconfigDocument, section: Section, name: string): YAMLMap | undefined {
  return entriesOf(document, section).find((item) => item.name === name)?.entry;
}

export function textAt(entry: YAMLMap | undefined, ...path: readonly string[]): string | undefined {
  const value: unknown = entry?.getIn(path);
  return typeof value === 'string' ? value : undefined;
}

export interface ContextRead {
  readonly name: string;
  readonly cluster: string;
  readonly user: string;
  readonly server: string | undefined;
  /** Base64 of PEM, as it stands there. */
  readonly ca: string | undefined;
  /** Name of the file that holds the CA, where it is not inline. */
  readonly caFile: string | undefined;
  readonly certificate: string | undefined;
  readonly certificateFile: string | undefined;
  readonly hasOtherCredential: boolean;
}

export function readContext(document: KubeconfigDocument, name: string): ContextRead | undefined {
  const context = findEntry(document, 'contexts', name);
  const cluster = textAt(context, 'context', 'cluster');
  const user = textAt(context, 'context', 'user');
  if (cluster === undefined || user === undefined) return undefined;
  const clusterEntry = findEntry(document, 'clusters', cluster);
  const userEntry = findEntry(document, 'users', user);
  const credential: unknown = userEntry?.get('user');
  const other =
    isMap(credential) && ['token', 'tokenFile', 'exec', 'auth-provider', 'username'].some((key) => credential.has(key));
  return {
    name,
    cluster,
    user,
    server: textAt(clusterEntry, 'cluster', 'server'),
    ca: textAt(clusterEntry, 'cluster', 'certificate-authority-data'),
    caFile: textAt(clusterEntry, 'cluster', 'certificate-authority'),
    certificate: textAt(userEntry, 'user', 'client-certificate-data'),
    certificateFile: textAt(userEntry, 'user', 'client-certificate'),
    hasOtherCredential: other,
  };
}

/** A CA is known by its certificates' bytes, not by how the PEM text is broken into lines; where it is no certificate, by its text. */
export function caDigest(pem: string): string {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
  try {
    const prints = blocks.map((block) => new X509Certificate(block).fingerprint256).toSorted();
    return digest(prints.length === 0 ? pem.trim() : prints.join('\n'));
  } catch {
    return digest(pem.trim());
  }
}

export const decodeBase64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');
