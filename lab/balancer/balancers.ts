import type { Socket } from 'node:net';
import type { CloudLoadBalancer, CloudService } from '../cloud/types.ts';
import { carries, hostAddress, prefixOf } from '../fabric/ipv6.ts';
import type { Fabric, FabricHost, Party } from '../fabric/types.ts';
import { createRedirect } from './http-front.ts';
import { createServiceProxy, type ServiceProxy } from './service.ts';
import { type BalancerPorts, type Balancers, DEFAULT_BALANCER_KNOBS } from './types.ts';

/** What balancers of the lab do otherwise than Hetzner's, for `lab info`. */
export const balancerLimits = (fabric: Fabric): readonly string[] => [
  ...(leastPort(fabric) > 1
    ? [
        'A service of a load balancer on a port below 1024 does not listen, and is checked all the same; nor does the redirect from port 80.',
      ]
    : []),
  'What a load balancer tells by the PROXY protocol and in X-Forwarded-For are addresses inside the lab, not those of the client. Its https services speak HTTP/1.1, not HTTP/2.',
];

/** Lower ports need root, which a lab is only inside namespaces of its own. */
const leastPort = (fabric: Fabric): number => (fabric.kind === 'loopback' ? 1024 : 1);

const REDIRECT_PORT = 80;

/** What the network calls a balancer. */
export const partyOf = (id: number): Party => `balancer-${id}`;

const publicAddresses = (fabric: Fabric, { publicIPv4, publicIPv6 = '' }: CloudLoadBalancer): string[] =>
  [publicIPv4, carries(fabric, publicIPv6) ? hostAddress(publicIPv6) : ''].filter((address) => address !== '');

interface Balancer {
  name: string;
  readonly host: FabricHost;
  readonly services: Map<number, ServiceProxy>;
  /** Addresses that lead to it now. */
  readonly addresses: Set<string>;
  /** Connections of all its services. */
  readonly open: Set<Socket>;
  /** Port 80, where an https service redirects to itself. */
  redirect: { readonly front: ReturnType<typeof createRedirect>; to: number } | undefined;
}

/**
 * The balancers of a project. Each is a machine of the fabric without an operating system: its addresses lead to it, it
 * listens on its services' ports and dials its targets by their addresses in the fabric, so that a target that is off
 * swallows for the balancer as it does for everyone.
 */
export function startBalancers(ports: BalancerPorts): Balancers {
  const { fabric } = ports;
  const knobs = { ...DEFAULT_BALANCER_KNOBS, ...ports.knobs };
  const balancers = new Map<number, Balancer>();
  let queue: Promise<void> = Promise.resolve();
  // One change at a time, as told.
  const enqueue = (work: () => Promise<void>): Promise<void> => {
    const next = queue.then(work);
    queue = next.catch(() => {});
    return next;
  };

  const lead = async (balancer: Balancer, wanted: readonly string[]): Promise<void> => {
    for (const address of balancer.addresses) {
      if (wanted.includes(address)) continue;
      balancer.addresses.delete(address);
      await fabric.route(prefixOf(address), undefined);
      await balancer.host.unclaim(address);
    }
    for (const address of wanted) {
      if (balancer.addresses.has(address)) continue;
      balancer.addresses.add(address);
      await balancer.host.claim(address);
      await fabric.route(prefixOf(address), balancer.host);
    }
  };

  const listens = (service: CloudService): boolean => service.listenPort >= leastPort(fabric);

  const serve = async (balancer: Balancer, description: CloudLoadBalancer): Promise<void> => {
    for (const [port, proxy] of balancer.services) {
      // One that begins or ceases to listen, or speaks another protocol, is another one.
      const stays = description.services.some(
        (service) =>
          service.listenPort === port && service.protocol === proxy.protocol && listens(service) === proxy.listening,
      );
      if (stays) continue;
      balancer.services.delete(port);
      if (proxy.listening) await balancer.host.shut(port);
      proxy.close();
    }
    for (const service of description.services) {
      const known = balancer.services.get(service.listenPort);
      if (known !== undefined) known.update(description, service);
      else await begin(balancer, description, service);
    }
    await redirect(balancer, description.services.find((service) => service.http?.redirectHTTP === true)?.listenPort);
  };

  const redirect = async (balancer: Balancer, to: number | undefined): Promise<void> => {
    if (to !== undefined && balancer.redirect !== undefined) balancer.redirect.to = to;
    if ((to === undefined) === (balancer.redirect === undefined) || leastPort(fabric) > REDIRECT_PORT) return;
    const { host } = balancer;
    if (to === undefined) {
      await host.shut(REDIRECT_PORT);
      balancer.redirect?.front.close();
      balancer.redirect = undefined;
      return;
    }
    const front = createRedirect(host.hidden, REDIRECT_PORT, () => balancer.redirect?.to ?? to);
    balancer.redirect = { front, to };
    await front.listen();
    await host.open(REDIRECT_PORT);
  };

  const begin = async (balancer: Balancer, description: CloudLoadBalancer, service: CloudService): Promise<void> => {
    const { host } = balancer;
    const admit = (client: Socket, most: number): boolean => {
      if (balancer.open.size >= most) return false;
      balancer.open.add(client);
      client.on('close', () => balancer.open.delete(client));
      return true;
    };
    const proxy = createServiceProxy({ ...ports, knobs, hidden: host.hidden, admit }, description, service);
    balancer.services.set(service.listenPort, proxy);
    if (!listens(service)) {
      ports.log(`${description.name}:${service.listenPort}: ${service.protocol} does not listen in this lab`);
      return;
    }
    try {
      await proxy.listen();
      await host.open(service.listenPort);
    } catch (error) {
      balancer.services.delete(service.listenPort);
      proxy.close();
      throw error;
    }
  };

  const end = async (balancer: Balancer): Promise<void> => {
    await lead(balancer, []);
    for (const proxy of balancer.services.values()) proxy.close();
    balancer.redirect?.front.close();
    balancer.services.clear();
    await balancer.host.remove();
  };

  return {
    apply: (description) =>
      enqueue(async () => {
        const known = balancers.get(description.id);
        const balancer: Balancer = known ?? {
          name: description.name,
          host: fabric.addHost(partyOf(description.id)),
          services: new Map<number, ServiceProxy>(),
          addresses: new Set<string>(),
          open: new Set<Socket>(),
          redirect: undefined,
        };
        balancer.name = description.name;
        balancers.set(description.id, balancer);
        await lead(balancer, [
          ...(description.publicEnabled ? publicAddresses(fabric, description) : []),
          ...(description.privateIPv4 === undefined ? [] : [description.privateIPv4]),
        ]);
        await serve(balancer, description);
      }),
    remove: (id) =>
      enqueue(async () => {
        const balancer = balancers.get(id);
        balancers.delete(id);
        if (balancer !== undefined) await end(balancer);
      }),
    states: () =>
      [...balancers].map(([id, { name, addresses, services }]) => ({
        id,
        name,
        addresses: [...addresses],
        services: [...services].map(([port, proxy]) => ({
          port,
          listens: proxy.listening,
          targets: proxy.targets(),
        })),
      })),
    close: () =>
      enqueue(async () => {
        for (const balancer of balancers.values()) await end(balancer);
        balancers.clear();
      }),
  };
}
