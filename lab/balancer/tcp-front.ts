import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import type { Backend, Front } from './front.ts';
import { createLinks } from './links.ts';
import { endpointsOf, proxyHeader } from './proxy-header.ts';
import type { BalancerKnobs } from './types.ts';

export interface FrontPorts {
  readonly speed: number;
  readonly knobs: BalancerKnobs;
  /** The hidden address to listen on and to dial from. */
  readonly hidden: string;
}

/** Passes bytes on: what is in them is between client and target. */
export function createTcpFront({ knobs, speed, hidden }: FrontPorts, port: number, backend: Backend): Front {
  const links = createLinks(knobs.tcpIdleMs / speed);
  const waiting = new Set<Socket>();

  const giveUp = (client: Socket, how = knobs.withoutTarget): void => {
    if (how === 'reset') client.resetAndDestroy();
    else client.destroy();
  };
  const forward = (client: Socket, tried: ReadonlySet<string>): void => {
    if (client.destroyed) return;
    const chosen = backend.pick(tried);
    if (chosen === undefined) return giveUp(client);
    const upstream = connect({
      host: chosen.address,
      localAddress: hidden,
      port: backend.service.destinationPort,
      allowHalfOpen: true,
      noDelay: true,
    });
    const next = (): void => {
      clearTimeout(timer);
      client.off('close', gone);
      upstream.destroy();
      const all = new Set([...tried, chosen.key]);
      if (all.size < knobs.connectAttempts) forward(client, all);
      else giveUp(client);
    };
    const timer = setTimeout(next, Math.max(knobs.leastTimeoutMs, knobs.connectTimeoutMs / speed));
    const gone = (): void => {
      clearTimeout(timer);
      upstream.destroy();
    };
    client.on('close', gone);
    upstream.on('error', next);
    upstream.on('connect', () => {
      clearTimeout(timer);
      client.off('close', gone);
      upstream.off('error', next);
      waiting.delete(client);
      if (backend.service.proxyProtocol) upstream.write(proxyHeader(knobs.proxyProtocolVersion, endpointsOf(client)));
      client.once('close', backend.occupy(chosen.key));
      links.join(chosen.key, client, upstream);
    });
  };

  const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    waiting.add(client);
    client.on('close', () => waiting.delete(client));
    // Until it is joined, a client that breaks off only goes away.
    client.on('error', () => {});
    if (backend.admit(client)) forward(client, new Set());
    else giveUp(client, knobs.connectionTooMany);
  });

  return {
    async listen() {
      server.listen({ host: hidden, port });
      await once(server, 'listening');
    },
    get listening() {
      return server.listening;
    },
    update() {},
    reset: (target) => links.reset(target),
    close() {
      if (server.listening) server.close();
      for (const client of waiting) client.resetAndDestroy();
      links.resetAll();
    },
  };
}
