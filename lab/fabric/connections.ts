import { connect, type Socket } from 'node:net';
import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import { isOpen, type LaneRule, OPEN_LANE, resentAfter, RESEND, type Shape } from './disturbance.ts';
import { Lane } from './lane.ts';

/** How long a connection that is never answered is kept after its client has said goodbye. */
const GOODBYE_MS = 30_000;

type LinkState =
  /** Does not come about yet: its packets are lost on the way. */
  | 'waiting'
  /** Both sides are joined. */
  | 'open'
  /** Nothing is read and nothing is said: the machine is off, hung, or no longer has the address. */
  | 'frozen'
  /** The machine is back and does not know the connection: the client's next byte is answered with a reset. */
  | 'forgotten';

interface Link {
  readonly client: Socket;
  readonly port: number;
  /** Where it leads; undefined = to nobody. */
  readonly target: string | undefined;
  hidden: Socket | undefined;
  state: LinkState;
  /** Present once a rule has touched it. */
  up: Lane | undefined;
  down: Lane | undefined;
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
  /** The rules between parties have changed. */
  reshape(): void;
  readonly size: number;
}

/** What connections ask of the network they belong to. */
export interface Traffic {
  readonly clock: Clock;
  readonly random: Random;
  /** Undefined: nothing befalls it. `open`: it came about before; what only keeps new ones away lets it be. */
  shapeOf(client: Socket, port: number, open: boolean): Shape | undefined;
  /** What each piece of an answer through this port waits for; undefined: nothing. */
  answersWait?(port: number): (() => Promise<void>) | undefined;
}

export function createConnections(traffic: Traffic): Connections {
  const links = new Set<Link>();

  const add = (link: Link): Link => {
    const { client } = link;
    links.add(link);
    client.on('close', (failed) => {
      // The machine hears of it when it would: a link whose goodbye is on its way is still one.
      after(link.up, () => {
        links.delete(link);
        if (failed) link.hidden?.destroy();
        else link.hidden?.destroySoon();
      });
    });
    // A client that resets resets the process too; a client that only goes away ends in 'close'.
    client.on('error', () => after(link.up, () => link.hidden?.resetAndDestroy()));
    return link;
  };

  const join = (link: Link, shape: Shape | undefined): void => {
    const { client, port } = link;
    const hidden = connect({ host: link.target ?? '', port, allowHalfOpen: true, noDelay: true });
    link.hidden = hidden;
    link.state = 'open';
    const broken = (): void => {
      if (link.state === 'open') client.resetAndDestroy();
    };
    hidden.on('error', () => after(link.down, broken));
    hidden.on('close', () => {
      if (!hidden.readableEnded) after(link.down, broken);
    });
    client.pipe(hidden);
    hidden.pipe(client);
    const pass = traffic.answersWait?.(port);
    if (pass !== undefined) link.down = insert(hidden, client, new Lane({ ...laneOf(traffic), pass }, OPEN_LANE));
    if (shape !== undefined) shapeLink(link, shape);
  };

  /** SYN and answer take their time too, and may be lost as everything else. */
  const joinInTime = (link: Link, shape: Shape): void => {
    const { random, clock } = traffic;
    const lost = ({ loss }: LaneRule): number => resentAfter(loss, RESEND.synMs, () => random.next());
    const ms = shape.up.ms + shape.down.ms + lost(shape.up) + lost(shape.down);
    if (ms === 0) {
      join(link, shape);
      return;
    }
    link.client.pause();
    clock
      .sleep(ms)
      .then(() => {
        if (link.state !== 'waiting' || link.client.destroyed) return;
        const now = traffic.shapeOf(link.client, link.port, false);
        if (now?.admitted !== false) join(link, now);
      })
      .catch(() => {});
  };

  const shapeLink = (link: Link, shape: Shape | undefined): void => {
    const { client, hidden } = link;
    if (hidden === undefined) return;
    const { up, down } = shape ?? { up: OPEN_LANE, down: OPEN_LANE };
    if (link.up !== undefined) link.up.rule = up;
    else if (!isOpen(up)) link.up = insert(client, hidden, new Lane(traffic, up));
    if (link.down !== undefined) link.down.rule = down;
    else if (!isOpen(down)) link.down = insert(hidden, client, new Lane(traffic, down));
  };

  return {
    forward(client, address, port) {
      const link: Link = {
        client,
        port,
        target: address,
        hidden: undefined,
        state: 'waiting',
        up: undefined,
        down: undefined,
      };
      const shape = traffic.shapeOf(client, port, false);
      add(link);
      if (shape === undefined) join(link, undefined);
      else if (shape.admitted) joinInTime(link, shape);
      else client.pause();
    },
    hold(client) {
      client.pause();
      add({ client, port: 0, target: undefined, hidden: undefined, state: 'frozen', up: undefined, down: undefined });
    },
    freeze() {
      for (const link of links) {
        if (link.state !== 'open' && link.state !== 'waiting') continue;
        link.state = 'frozen';
        link.client.unpipe();
        link.client.pause();
        link.hidden?.unpipe();
        link.hidden?.pause();
        link.up?.destroy();
        link.down?.destroy();
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
        link.up?.destroy();
        link.down?.destroy();
        link.hidden?.resetAndDestroy();
        link.client.resetAndDestroy();
      }
    },
    reshape() {
      for (const link of links) {
        if (link.state === 'open') shapeLink(link, traffic.shapeOf(link.client, link.port, true));
        if (link.state !== 'waiting') continue;
        const shape = traffic.shapeOf(link.client, link.port, false);
        // The client still knocks: its next SYN gets through.
        if (shape === undefined) join(link, undefined);
        else if (shape.admitted) joinInTime(link, shape);
      }
    },
    get size() {
      return links.size;
    },
  };
}

const laneOf = ({ clock, random }: Traffic): Pick<Traffic, 'clock' | 'random'> => ({ clock, random });

/** Now, or when what is on its way before it has arrived. */
function after(lane: Lane | undefined, work: () => void): void {
  if (lane === undefined || lane.destroyed) work();
  else void lane.idle().then(work);
}

/** Puts a lane between two sockets that are joined; undefined when that direction has ended already. */
function insert(source: Socket, target: Socket, lane: Lane): Lane | undefined {
  if (source.readableEnded || target.writableEnded || source.destroyed || target.destroyed) {
    lane.destroy();
    return undefined;
  }
  source.unpipe(target);
  source.pipe(lane).pipe(target);
  return lane;
}
