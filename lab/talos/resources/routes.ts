import type { LinkFact } from '../types.ts';
import type { Machine } from '../machine.ts';
import type { Resource } from './resource.ts';

/** Gateways as Hetzner's DHCP names them: the public one is the same everywhere, the private one the network's first. */
const PUBLIC_GATEWAY = '172.31.1.1';
const METRIC = 1024;

/** What a machine of Hetzner's routes; the lab's own packets go another way, so these are for show. */
export function routeResources(machine: Machine): Resource[] {
  const { facts } = machine;
  const route = (link: LinkFact, destination: string, gateway: string): Resource => {
    const index = facts.links.indexOf(link) + 2;
    return {
      namespace: 'network',
      type: 'RouteStatuses.net.talos.dev',
      id: `inet4/${gateway}/${destination}/${METRIC}`,
      owner: 'network.RouteStatusController',
      spec: {
        family: 'inet4',
        dst: destination,
        src: link.address,
        gateway,
        outLinkIndex: index,
        outLinkName: link.name,
        table: 'main',
        priority: METRIC,
        scope: gateway === '' ? 'link' : 'global',
        type: 'unicast',
        flags: '',
        protocol: 'boot',
      },
    };
  };
  return facts.links.flatMap((link) => {
    if (link.address !== facts.privateIPv4) {
      return [route(link, '', PUBLIC_GATEWAY), route(link, `${PUBLIC_GATEWAY}/32`, '')];
    }
    const [a = '', b = ''] = link.address.split('.');
    const gateway = `${a}.${b}.0.1`;
    return [route(link, `${a}.${b}.0.0/16`, gateway), route(link, `${gateway}/32`, '')];
  });
}
