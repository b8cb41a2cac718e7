import { X509Certificate } from 'node:crypto';
import path from 'node:path';
import { textOf } from '../../base/failure.ts';
import { Redacted } from '../../base/redacted.ts';
import { sha256 } from '../../base/digest.ts';
import { type Fact, known, unknown } from '../../model/fact.ts';
import type { KubeconfigContent, KubeconfigObservation } from '../../model/observation.ts';
import type { Files } from '../files.ts';
import {
  caDigest,
  type ContextRead,
  decodeBase64,
  entriesOf,
  parseKubeconfigDocument,
  readContext,
} from './document.ts';

interface Wanted {
  readonly file: string;
  readonly context: string | undefined;
}

/**
 * What a kubeconfig says of this cluster: the context that was named, else the one (the current one first) whose CA is the
 * cluster's. A named context with another CA belongs to another cluster: that is an unknown with its reason, never overwritten.
 */
export async function observeKubeconfig(
  files: Files,
  wanted: Wanted,
  clusterCa: string,
  at: string,
): Promise<KubeconfigObservation> {
  return { ...wanted, content: await contentOf(files, wanted, clusterCa, at) };
}

async function contentOf(
  files: Files,
  { file, context }: Wanted,
  clusterCa: string,
  at: string,
): Promise<Fact<KubeconfigContent | undefined>> {
  try {
    const text = await files.read(file);
    if (text === undefined) return known(undefined, file, at);
    const document = parseKubeconfigDocument(text);
    const names = entriesOf(document, 'contexts').map((entry) => entry.name);
    const current: unknown = document.get('current-context');
    const order =
      context === undefined ? names.toSorted((a, b) => Number(b === current) - Number(a === current)) : [context];
    const digest = caDigest(clusterCa);
    let entry: KubeconfigContent['entry'];
    for (const name of order) {
      const read = readContext(document, name);
      if (read === undefined) continue;
      const ca = await pemOf(files, file, read.ca, read.caFile);
      const caSha256 = ca === undefined ? undefined : caDigest(ca);
      if (caSha256 === digest) {
        entry = { context: name, server: read.server ?? '', caSha256, ...(await credentialOf(files, file, read)) };
        break;
      }
      if (context !== undefined)
        throw new Error(`its context ${context} has another CA: it belongs to another cluster`);
    }
    return known({ sha256: sha256(text), text: new Redacted(text), contexts: names, entry }, file, at);
  } catch (error) {
    return unknown(textOf(error), file);
  }
}

async function credentialOf(
  files: Files,
  file: string,
  read: ContextRead,
): Promise<{ certificateNotAfter: string | undefined; problem?: string }> {
  const pem = await pemOf(files, file, read.certificate, read.certificateFile);
  if (pem === undefined) {
    return read.hasOtherCredential
      ? { certificateNotAfter: undefined }
      : { certificateNotAfter: undefined, problem: 'the user has no credential' };
  }
  try {
    return { certificateNotAfter: new Date(new X509Certificate(pem).validTo).toISOString() };
  } catch {
    return { certificateNotAfter: undefined, problem: 'its client certificate is not readable' };
  }
}

async function pemOf(
  files: Files,
  file: string,
  inline: string | undefined,
  name: string | undefined,
): Promise<string | undefined> {
  if (inline !== undefined) return decodeBase64(inline);
  return name === undefined ? undefined : files.read(path.resolve(path.dirname(file), name));
}
