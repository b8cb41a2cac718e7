import type { Redacted } from '../base/redacted.ts';
import { issuersOf, parseMachineConfig, pinnedIssuer } from '../machine-config/read.ts';
import { sha256 } from '../base/digest.ts';
import type { NodeConfig } from '../model/observation.ts';

/** Reads out of a machine config what the observation keeps of it. Throws where it is none. */
export function readNodeConfig(text: Redacted): NodeConfig {
  const config = parseMachineConfig(text.reveal());
  return {
    text,
    sha256: sha256(text.reveal()),
    role: config.role,
    clusterName: config.clusterName?.value,
    endpoint: config.endpoint?.value,
    endpointForm: config.endpoint?.form ?? 'legacy',
    apiServerPort: config.apiServerPort,
    certSANs: config.certSANs?.value ?? [],
    machineCertSANs: config.machineCertSANs,
    pinnedIssuer: pinnedIssuer(config),
    issuers: issuersOf(config),
    vips: config.vips.map(({ ip, form, provider }) => ({
      ip,
      form,
      provider: provider === 'hcloud' ? 'hcloud' : 'other',
    })),
    subnets: { etcd: config.subnets.etcdAdvertised.length > 0, kubelet: config.subnets.kubeletNodeIP.length > 0 },
    // Talos: off where nothing is said.
    kubePrism: config.kubePrism?.value.enabled ?? false,
  };
}
