import { textAt, textsAt } from '../config/access.ts';
import type { Machine } from '../machine.ts';
import type { Resource } from './resource.ts';
import { settingsOf } from './settings.ts';

interface Pair {
  readonly crt: string;
  readonly key?: string | undefined;
}

/** Names of certificates, and the authorities that sign them: for administrators only. */
export function secretResources(machine: Machine): Resource[] {
  const { facts, active } = machine;
  const settings = settingsOf(machine);
  if (active === undefined || settings === undefined) return [];
  const { derived } = active;
  const { pki } = derived;
  const make = (type: string, id: string, owner: string, spec: unknown): Resource => ({
    namespace: 'secrets',
    type: `${type}.secrets.talos.dev`,
    id,
    owner: `secrets.${owner}`,
    spec,
  });
  const sans = (id: string, owner: string, names: { dnsNames: readonly string[]; ipAddresses: readonly string[] }) =>
    make('CertSANs', id, owner, { ips: names.ipAddresses, dnsNames: names.dnsNames, fqdn: facts.hostname });
  const { legacy } = settings;
  const isIp = (name: string): boolean => /^[\d.]+$|:/.test(name);
  const api = [
    sans('api', 'APICertSANsController', derived.talosApiCertificate),
    make('OSRootSecrets', 'os', 'RootOSController', {
      issuingCA: pairOf(pki.machineCA),
      acceptedCAs: [{ crt: base64(pki.machineCA.crt) }],
      certSANIPs: settings.machineCertSANs.filter(isIp),
      certSANDNSNames: settings.machineCertSANs.filter((name) => !isIp(name)),
      token: textAt(legacy, 'machine', 'token') ?? '',
    }),
  ];
  if (machine.role === 'worker') return api;
  const [tokenId = '', tokenSecret = ''] = (textAt(legacy, 'cluster', 'token') ?? '').split('.');
  return [
    ...api,
    sans('k8s', 'KubernetesCertSANsController', derived.kubernetesApiCertificate),
    ...(pki.etcdCA === undefined
      ? []
      : [make('EtcdRootSecrets', 'etcd', 'RootEtcdController', { etcdCA: pairOf(pki.etcdCA) })]),
    make('KubernetesRootSecrets', 'k8s', 'RootKubernetesController', {
      name: derived.clusterName,
      endpoint: null,
      local_endpoint: null,
      certSANs: settings.apiServer.certSANs,
      apiServerIPs: derived.kubernetesApiCertificate.ipAddresses.filter((ip) => isFirstOf(ip, settings.serviceSubnets)),
      dnsDomain: settings.dnsDomain,
      issuingCA: pairOf(pki.clusterCA),
      acceptedCAs: [pki.clusterCA.crt, ...textsAt(legacy, 'cluster', 'acceptedCAs')].map((crt) => ({
        crt: base64(crt),
      })),
      ...(pki.serviceAccountKey === undefined ? {} : { serviceAccount: { key: base64(pki.serviceAccountKey) } }),
      ...(pki.aggregatorCA === undefined ? {} : { aggregatorCA: pairOf(pki.aggregatorCA) }),
      aesCBCEncryptionSecret: textAt(legacy, 'cluster', 'aescbcEncryptionSecret') ?? '',
      bootstrapTokenID: tokenId,
      bootstrapTokenSecret: tokenSecret,
      secretboxEncryptionSecret: textAt(legacy, 'cluster', 'secretboxEncryptionSecret') ?? '',
    }),
  ];
}

const base64 = (pem: string): string => Buffer.from(pem).toString('base64');

const pairOf = ({ crt, key }: Pair): Pair => ({ crt: base64(crt), ...(key === undefined ? {} : { key: base64(key) }) });

/** The service address of the API is the first one of a service subnet. */
const isFirstOf = (ip: string, subnets: readonly string[]): boolean =>
  subnets.some((subnet) => ip.endsWith('.1') && subnet.split('/')[0] === ip.replace(/\.1$/, '.0'));
