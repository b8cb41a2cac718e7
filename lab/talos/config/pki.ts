import { at, isSection, textAt, textsAt, type Section } from './access.ts';
import type { Value } from './decode.ts';
import type { MachinePki } from './types.ts';

/** The certificates and keys of a config as PEM: base64 in the v1alpha1 document, plain text in the others. */
export function readPki(legacy: Section, of: (kind: string) => Section | undefined): MachinePki {
  const machine = legacyPair(at(legacy, 'machine', 'ca'));
  const accepted = textAt((at(legacy, 'machine', 'acceptedCAs') as readonly Value[] | undefined)?.[0], 'crt');
  const document = of('KubeAPIServerCAConfig');
  const cluster = documentPair(document) ?? legacyPair(at(legacy, 'cluster', 'ca'));
  const aggregator = documentPair(of('KubeAggregatorCAConfig')) ?? legacyPair(at(legacy, 'cluster', 'aggregatorCA'));
  const etcd = legacyPair(at(legacy, 'cluster', 'etcd', 'ca'));
  const serviceAccountKey =
    textAt(of('KubeServiceAccountConfig'), 'issuer', 'privateKey') ??
    fromBase64(textAt(legacy, 'cluster', 'serviceAccount', 'key'));
  return {
    machineCA: machine ?? { crt: fromBase64(accepted) ?? '' },
    clusterCA: cluster ?? { crt: textsAt(document, 'acceptedCAs')[0] ?? '' },
    ...(hasKey(aggregator) ? { aggregatorCA: aggregator } : {}),
    ...(hasKey(etcd) ? { etcdCA: etcd } : {}),
    ...(serviceAccountKey === undefined ? {} : { serviceAccountKey }),
  };
}

interface Pair {
  readonly crt: string;
  readonly key?: string;
}

const hasKey = (pair: Pair | undefined): pair is { crt: string; key: string } => pair?.key !== undefined;

const pairOf = (crt: string | undefined, key: string | undefined): Pair | undefined =>
  crt === undefined ? undefined : key === undefined || key === '' ? { crt } : { crt, key };

function legacyPair(value: Value | undefined): Pair | undefined {
  return isSection(value) ? pairOf(fromBase64(textAt(value, 'crt')), fromBase64(textAt(value, 'key'))) : undefined;
}

const documentPair = (document: Section | undefined): Pair | undefined =>
  pairOf(textAt(document, 'issuingCA', 'cert'), textAt(document, 'issuingCA', 'key'));

/** Text out of base64 (that the decoder has looked at). */
const fromBase64 = (text: string | undefined): string | undefined => (text === undefined ? undefined : atob(text));
