import type { IngressPolicy, IngressRule } from '../../fabric/types.ts';
import { at, sectionsAt, textAt } from './access.ts';
import type { ConfigDocument } from './documents.ts';

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'icmpv6'] as const;

/**
 * The ingress firewall of a config: NetworkDefaultActionConfig and the NetworkRuleConfigs; undefined where it has
 * neither. Rules look at source and port, never at the destination, so that a shared address needs none of its own.
 */
export function readIngress(documents: readonly ConfigDocument[]): IngressPolicy | undefined {
  const action = documents.find(({ kind }) => kind === 'NetworkDefaultActionConfig');
  const rules = documents.filter(({ kind }) => kind === 'NetworkRuleConfig');
  if (action === undefined && rules.length === 0) return undefined;
  return {
    otherwise: textAt(action?.value, 'ingress') === 'block' ? 'block' : 'accept',
    rules: rules.map(({ value }): IngressRule => {
      const ports = at(value, 'portSelector', 'ports');
      const protocol = textAt(value, 'portSelector', 'protocol');
      return {
        protocol: PROTOCOLS.find((known) => known === protocol) ?? 'tcp',
        // A single port may be a number.
        ports: Array.isArray(ports) ? ports.map(String) : [],
        from: sectionsAt(value, 'ingress').map((entry) => ({
          subnet: textAt(entry, 'subnet') ?? '',
          except: textAt(entry, 'except'),
        })),
      };
    }),
  };
}
