import { connect, type Socket } from 'node:net';

/** How long a connection that is never answered is kept after its client has said goodbye. */
const GOODBYE_MS = 30_000;

type LinkState =
  /** Both sides are joined. */
  | 'open'
  /** Nothing is read and nothing is said: the machine is off, hung, or no longer has the address. */
  | 'frozen'
  /** The machine is back and does not know the connection: the client's next byte is answered with a reset. */
  | 'forgotten';

interface Link {
  readonly client: Socket;
  readonly hidden: Socket | undefined;
  state: LinkState;
}

/** The connections open through one address. */
export interface Connections {
  /** Joins a client to a process. */
  forward(client: Socket, hidden: string, port: number): void;
  /** Keeps a client and never says anything to it. */
  hold(client: Socket): void;
  /** All fall silent: no FIN, no reset, nothing is answered. */
  freeze(): void;
  /** Frozen ones get a reset when their client speaks again, as from a machine that was started anew. */
  forget(): void;
  /** All are reset at once. */
  reset(): void;
  readonly size: number;
}

export function createConnections(): Connections {
  const links = new Set<Link>();

  const add = (client: Socket, hidden: Socket | undefined, state: LinkState): Link => {
    const link: Link = { client, hidden, state };
    links.add(link);
    client.on('close', (failed) => {
      links.delete(link);
      if (failed) hidden?.destroy();
      else hidden?.destroySoon();
    });
    // A client that resets resets the process too; a client that only goes away ends in 'close'.
    client.on('error', () => hidden?.resetAndDestroy());
    return link;
  };

  return {
    forward(client, address, port) {
      const hidden = connect({ host: address, port, allowHalfOpen: true, noDelay: true });
      const link = add(client, hidden, 'open');
      hidden.on('error', () => {
        if (link.state === 'open') client.resetAndDestroy();
      });
      hidden.on('close', () => {
        if (link.state === 'open' && !hidden.readableEnded) client.resetAndDestroy();
      });
      client.pipe(hidden);
      hidden.pipe(client);
    },
    hold(client) {
      client.pause();
      add(client, undefined, 'frozen');
    },
    freeze() {
      for (const link of links) {
        if (link.state !== 'open') continue;
        link.state = 'frozen';
        link.client.unpipe();
        link.client.pause();
        link.hidden?.unpipe();
        link.hidden?.pause();
      }
    },
    forget() {
      for (const link of links) {
        if (link.state !== 'frozen') continue;
        link.state = 'forgotten';
        link.hidden?.destroy();
        link.client.on('data', () => link.client.resetAndDestroy());
        link.client.on('end', () => setTimeout(() => link.client.destroy(), GOODBYE_MS).unref());
        link.client.resume();
      }
    },
    reset() {
      for (const link of links) {
        link.hidden?.resetAndDestroy();
        link.client.resetAndDestroy();
      }
    },
    get size() {
      return links.size;
    },
  };
}
