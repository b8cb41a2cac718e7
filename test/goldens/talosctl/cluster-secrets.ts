import { parseAllDocuments } from 'yaml';
import { toBase64 } from '../../../lab/pki/keys.ts';
import type { EncodedPair, Secrets } from '../../../lab/provisioner/types.ts';

export interface ReadCluster {
  readonly secrets: Secrets;
  readonly endpoint: string;
}

type Node = Readonly<Record<string, unknown>>;

/** The secrets that a control plane's machine config holds, in either of its forms; throws where one is missing. */
export function readCluster(config: string): ReadCluster {
  const documents = parseAllDocuments(config).map((document): unknown => document.toJS());
  const base = documents.find((document) => at(document, 'machine') !== undefined);
  const kind = (name: string): unknown => documents.find((document) => at(document, 'kind') === name);
  const first = (...values: readonly unknown[]): string => {
    const found = values.find((value) => typeof value === 'string' && value !== '');
    if (typeof found !== 'string') throw new Error('the recorded machine config lacks one of the cluster secrets');
    return found;
  };
  const pair = (legacy: unknown, document: unknown): EncodedPair => {
    const plain = at(document, 'issuingCA');
    return {
      crt: first(at(legacy, 'crt'), encoded(at(plain, 'cert'))),
      key: first(at(legacy, 'key'), encoded(at(plain, 'key'))),
    };
  };
  const cluster = at(base, 'cluster');
  const provider = at(at(at(at(kind('KubeEtcdEncryptionConfig'), 'config'), 'resources'), 0), 'providers');
  const secretbox = at(at(at(at(at(provider, 0), 'secretbox'), 'keys'), 0), 'secret');
  return {
    endpoint: first(at(at(cluster, 'controlPlane'), 'endpoint'), at(kind('KubeClusterConfig'), 'endpoint')),
    secrets: {
      cluster: {
        id: first(at(cluster, 'id'), at(kind('DiscoveryIdentityConfig'), 'clusterID')),
        secret: first(at(cluster, 'secret'), at(kind('DiscoveryIdentityConfig'), 'clusterSecret')),
      },
      secrets: {
        bootstraptoken: first(at(cluster, 'token')),
        secretboxencryptionsecret: first(at(cluster, 'secretboxEncryptionSecret'), secretbox),
      },
      trustdinfo: { token: first(at(at(base, 'machine'), 'token')) },
      certs: {
        os: pair(at(at(base, 'machine'), 'ca'), undefined),
        etcd: pair(at(at(cluster, 'etcd'), 'ca'), undefined),
        k8s: pair(at(cluster, 'ca'), kind('KubeAPIServerCAConfig')),
        k8saggregator: pair(at(cluster, 'aggregatorCA'), kind('KubeAggregatorCAConfig')),
        k8sserviceaccount: {
          key: first(
            at(at(cluster, 'serviceAccount'), 'key'),
            encoded(at(at(kind('KubeServiceAccountConfig'), 'issuer'), 'privateKey')),
          ),
        },
      },
    },
  };
}

const at = (value: unknown, key: string | number): unknown =>
  typeof value === 'object' && value !== null ? (value as Node)[key] : undefined;

const encoded = (value: unknown): string | undefined => (typeof value === 'string' ? toBase64(value) : undefined);
