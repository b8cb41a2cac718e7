import { stringify } from 'yaml';
import { publicKeyOf, standardKey } from '../../pki/keys.ts';
import type { KeyPair } from '../../pki/types.ts';
import type { Derived } from '../config/types.ts';
import { inFolder, makeFolders, replaceFile } from '../files.ts';
import type { Machine } from '../machine.ts';
import { AUTHENTICATION_FILE } from './api-server-args.ts';
import { etcdCertificates, kubernetesCertificates } from './certificates.ts';

/** Talos' default for the document form: health checks without a credential, nothing else. */
const ANONYMOUS_HEALTH = stringify({
  apiVersion: 'apiserver.config.k8s.io/v1beta1',
  kind: 'AuthenticationConfiguration',
  anonymous: { enabled: true, conditions: ['/livez', '/readyz', '/healthz'].map((path) => ({ path })) },
});

/** Where the certificates of a control plane lie. */
export interface PkiFiles {
  /** Everything, as at boot. */
  writeAll(derived: Derived): Promise<void>;
  /** API server serving, API server to kubelet, front proxy. The running API server reloads its own from disk. */
  writeKubernetes(derived: Derived): Promise<void>;
  /** Server, peer and clients of etcd, which reads them at each handshake. */
  writeEtcd(derived: Derived): Promise<void>;
  readonly etcd: Record<'ca' | 'serverCert' | 'serverKey' | 'peerCert' | 'peerKey' | 'adminCert' | 'adminKey', string>;
}

export function createPkiFiles(machine: Machine): PkiFiles {
  const { clock, host } = machine.ports;
  const kubernetes = inFolder(machine.paths.kubernetes);
  const etcd = inFolder(machine.paths.etcdSecrets);

  const files: PkiFiles = {
    etcd: {
      ca: etcd('ca.crt'),
      serverCert: etcd('server.crt'),
      serverKey: etcd('server.key'),
      peerCert: etcd('peer.crt'),
      peerKey: etcd('peer.key'),
      adminCert: etcd('admin.crt'),
      adminKey: etcd('admin.key'),
    },
    async writeAll(derived) {
      await makeFolders([machine.paths.kubernetes, machine.paths.etcdSecrets]);
      await writeRoots(derived);
      await Promise.all([files.writeKubernetes(derived), files.writeEtcd(derived)]);
    },
    async writeKubernetes(derived) {
      await writeRoots(derived);
      const { apiServer, kubeletClient, frontProxy } = await kubernetesCertificates(clock, derived);
      const serving = (await machine.ailments.servingCertificate?.(derived)) ?? apiServer;
      await writePair(kubernetes('apiserver'), serving);
      await writePair(kubernetes('apiserver-kubelet-client'), kubeletClient);
      await writePair(kubernetes('front-proxy-client'), frontProxy);
    },
    async writeEtcd(derived) {
      const pairs = await etcdCertificates(clock, derived, machine.facts.hostname, host.hidden);
      await replaceFile(etcd('ca.crt'), derived.pki.etcdCA?.crt ?? '');
      await writePair(etcd('server'), pairs.server);
      await writePair(etcd('peer'), pairs.peer);
      await writePair(etcd('admin'), pairs.admin);
      await replaceFile(kubernetes('etcd-client-ca.crt'), derived.pki.etcdCA?.crt ?? '');
      await writePair(kubernetes('etcd-client'), pairs.apiServerClient);
    },
  };

  const writeRoots = async ({ pki }: Derived): Promise<void> => {
    await replaceFile(kubernetes('ca.crt'), pki.clusterCA.crt);
    await replaceFile(kubernetes('aggregator-ca.crt'), pki.aggregatorCA?.crt ?? '');
    const key = standardKey(pki.serviceAccountKey ?? '');
    await replaceFile(kubernetes('service-account.key'), key);
    await replaceFile(kubernetes('service-account.pub'), publicKeyOf(key));
    await replaceFile(kubernetes(AUTHENTICATION_FILE), ANONYMOUS_HEALTH);
  };
  return files;
}

/** Key first: whoever reads between the two writes sees a pair that does not match and looks again. */
async function writePair(stem: string, pair: KeyPair): Promise<void> {
  await replaceFile(`${stem}.key`, pair.key);
  await replaceFile(`${stem}.crt`, pair.cert);
}
