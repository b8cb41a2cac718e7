import { compareIps, formatIp, parseIp, parseSubnet, type Ip } from './ip.ts';
import type { NodeAddresses } from './node-addresses.ts';
import type { Settings } from './settings.ts';
import type { CertificateNames } from './types.ts';
import { hostOf } from './url.ts';

const LOCALHOST: Ip = { bits: 32, value: 0x7f000001n };

export interface HostNames {
  readonly hostname: string;
  /** `''` when the host has no domain. */
  readonly domain: string;
}

/** Names and addresses of the kube-apiserver certificate (Talos: KubernetesCertSANsController). */
export function kubernetesApiNames(settings: Settings, addresses: NodeAddresses, host: HostNames): CertificateNames {
  const service = ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'];
  return collect(
    [
      hostOf(settings.endpoint),
      ...settings.apiServer.certSANs,
      ...service,
      `kubernetes.default.svc.${settings.dnsDomain}`,
      'localhost',
      ...ownNames(host),
    ],
    [...settings.serviceSubnets.flatMap(firstOf), ...addresses.accumulative, LOCALHOST],
  );
}

/** Names and addresses of the Talos API certificate: the cluster endpoint is not among them (Talos: APICertSANsController). */
export const talosApiNames = (settings: Settings, addresses: NodeAddresses, host: HostNames): CertificateNames =>
  collect([...settings.machineCertSANs, ...ownNames(host)], [...addresses.accumulative, LOCALHOST]);

const ownNames = ({ hostname, domain }: HostNames): string[] =>
  domain === '' ? [hostname] : [hostname, `${hostname}.${domain}`];

/** The address of the `kubernetes` service: the first of the subnet. */
function firstOf(subnet: string): Ip[] {
  const parsed = parseSubnet(subnet);
  return parsed === undefined ? [] : [{ ...parsed.ip, value: parsed.ip.value + 1n }];
}

/** Sorts texts that are addresses from those that are names, drops what is empty or double, orders as Talos does. */
function collect(texts: readonly string[], ips: readonly Ip[]): CertificateNames {
  const parsed = texts.map((text) => ({ text, ip: parseIp(text) }));
  const names = parsed.filter(({ text, ip }) => ip === undefined && text !== '').map(({ text }) => text);
  const all = [...ips, ...parsed.flatMap(({ ip }) => ip ?? [])].toSorted(compareIps).map(formatIp);
  return {
    dnsNames: [...new Set(names)].toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)),
    ipAddresses: [...new Set(all)],
  };
}
