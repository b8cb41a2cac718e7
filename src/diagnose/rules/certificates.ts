import { controlPlanes } from '../../model/cluster.ts';
import { covers } from '../../model/endpoint.ts';
import { valueOf } from '../../model/fact.ts';
import { APPLY, finding, type Rule } from '../rule.ts';

/** A control plane whose certificate does not name the endpoint: clients that reach it there refuse it. */
export const sanMissing: Rule = ({ observation, wanted, ip }) => {
  const hosts = [...new Set([wanted?.host, ip].filter((host) => host !== undefined))];
  return controlPlanes(observation).flatMap((node) => {
    const certificate = node.certificate === undefined ? undefined : valueOf(node.certificate);
    if (certificate === undefined) return [];
    const missing = hosts.filter((host) => !covers(certificate.names, host));
    if (missing.length === 0) return [];
    return [
      finding({
        id: 'san-missing',
        level: 'error',
        subject: node.name,
        message: `The API server of ${node.name} serves a certificate without ${missing.join(', ')}.`,
        evidence: [`serial ${certificate.serial}: ${certificate.names.join(', ')}`],
        remedy: APPLY,
      }),
    ];
  });
};

/** A certificate that the cluster CA of the kubeconfig did not sign. */
export const certificateUntrusted: Rule = ({ observation }) =>
  controlPlanes(observation).flatMap((node) => {
    const certificate = node.certificate === undefined ? undefined : valueOf(node.certificate);
    if (certificate === undefined || certificate.trusted) return [];
    return [
      finding({
        id: 'certificate-untrusted',
        level: 'error',
        subject: node.name,
        message: `The API server of ${node.name} serves a certificate that the cluster CA does not vouch for.`,
        evidence: [certificate.problem ?? 'no reason given', `serial ${certificate.serial}`],
        remedy: 'Check that kubernetes.kubeconfig belongs to this cluster, and that the address is not a stranger’s.',
      }),
    ];
  });

const SOON_MS = 7 * 24 * 3600 * 1000;

export const certificateExpires: Rule = ({ observation, at }) =>
  controlPlanes(observation).flatMap((node) => {
    const certificate = node.certificate === undefined ? undefined : valueOf(node.certificate);
    if (certificate === undefined) return [];
    const left = Date.parse(certificate.notAfter) - at.getTime();
    if (left > SOON_MS) return [];
    return [
      finding({
        id: left <= 0 ? 'certificate-expired' : 'certificate-expires',
        level: left <= 0 ? 'error' : 'warning',
        subject: node.name,
        message: `The API server certificate of ${node.name} ${left <= 0 ? 'ended' : 'ends'} at ${certificate.notAfter}.`,
        remedy: 'Talos renews it by itself; check the clock of the node and of this machine.',
      }),
    ];
  });
