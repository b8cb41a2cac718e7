import { parseMachineConfig } from '../../machine-config/read.ts';
import { chooseVipForm, type VipLink } from '../../machine-config/edit/vip.ts';
import { pinArguments } from '../../machine-config/edit/issuer.ts';
import { stringify } from 'yaml';
import type { WantedPatch, WantedRepository } from './desired.ts';

export interface WantedFacts {
  readonly clusterName: string;
  readonly endpoint: string;
  readonly names: readonly string[];
  readonly issuer: string | undefined;
  readonly ip: string;
  readonly variable: string;
  readonly link: VipLink;
  readonly talosVersion: string;
  /** The machine config of a living control plane: new nodes are made in its form. */
  readonly model: string;
}

const HEAD = (why: string): string => `# ${why} Written by fairlead.\n`;

const yaml = (content: unknown): string => stringify(content, { lineWidth: 0 });

/** The patches that a folder needs so that a node made from it comes up like the running ones, in the form these use. */
export function wantedRepository(facts: WantedFacts): WantedRepository {
  const config = parseMachineConfig(facts.model);
  const token = `\${${facts.variable}}`;
  const audiences = facts.issuer === undefined ? [] : [...new Set([facts.issuer, facts.endpoint])];
  const patches: WantedPatch[] = [
    {
      scope: 'cluster',
      name: 'set-api-endpoint.yaml',
      purpose: 'endpoint',
      text:
        HEAD('The API endpoint is an address that outlives every node.') +
        yaml(
          config.endpoint?.form === 'document'
            ? {
                apiVersion: 'v1alpha1',
                kind: 'KubeClusterConfig',
                clusterName: facts.clusterName,
                endpoint: facts.endpoint,
              }
            : { cluster: { controlPlane: { endpoint: facts.endpoint } } },
        ),
    },
    {
      scope: 'control-planes',
      name: 'name-api-endpoint.yaml',
      purpose: 'names',
      text:
        HEAD('Certificates cover the endpoint, and the one that came before it.') +
        yaml(
          config.certSANs?.form === 'document'
            ? { apiVersion: 'v1alpha1', kind: 'KubeAPIServerConfig', certExtraSANs: [...facts.names] }
            : { machine: { certSANs: [...facts.names] }, cluster: { apiServer: { certSANs: [...facts.names] } } },
        ),
    },
  ];
  if (facts.issuer !== undefined) {
    const document = config.issuer.serviceAccount !== undefined && config.issuer.issuerArgument === undefined;
    patches.push({
      scope: 'control-planes',
      name: 'pin-token-issuer.yaml',
      purpose: 'issuer',
      text:
        HEAD('Tokens keep their issuer when the endpoint changes, or every living token is refused.') +
        yaml(
          document
            ? {
                apiVersion: 'v1alpha1',
                kind: 'KubeServiceAccountConfig',
                issuer: { issuerURL: facts.issuer },
                accepted: { audiences },
              }
            : config.certSANs?.form === 'document'
              ? {
                  apiVersion: 'v1alpha1',
                  kind: 'KubeAPIServerConfig',
                  extraArgs: pinArguments({ issuer: facts.issuer, audiences }),
                }
              : { cluster: { apiServer: { extraArgs: pinArguments({ issuer: facts.issuer, audiences }) } } },
        ),
    });
  }
  patches.push({
    scope: 'control-planes',
    name: 'hold-api-address.yaml',
    purpose: 'vip',
    text: HEAD('Talos moves the address to a living control plane.') + vipText(facts, config, token),
  });
  return {
    endpoint: facts.endpoint,
    names: facts.names,
    machineNames: facts.names,
    issuer: facts.issuer === undefined ? undefined : { issuer: facts.issuer, audiences },
    ip: facts.ip,
    tokenReference: token,
    patches,
  };
}

/** In the document form the token stands unquoted, so that whatever fills it in sees one plain value. */
function vipText(
  { talosVersion, ip, link }: WantedFacts,
  config: ReturnType<typeof parseMachineConfig>,
  token: string,
): string {
  if (chooseVipForm(talosVersion, config) === 'document') {
    return `apiVersion: v1alpha1\nkind: HCloudVIPConfig\nname: ${ip}\nlink: ${link.name}\napiToken: ${token}\n`;
  }
  const bus = link.facts?.busPath;
  const selector = bus === undefined ? `interface: ${link.name}` : `deviceSelector:\n          busPath: ${bus}`;
  return [
    'machine:',
    '  network:',
    '    interfaces:',
    `      - ${selector}`,
    '        dhcp: true',
    '        vip:',
    `          ip: ${ip}`,
    '          hcloud:',
    `            apiToken: ${token}`,
    '',
  ].join('\n');
}
