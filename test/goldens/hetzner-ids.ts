import { isObject } from './hetzner-fields.ts';
import type { Recording } from './hetzner-recordings.ts';

/** What an id is an id of: `server`, `floating_ip`, `action` and so on. */
type Kind = string;

/** The recorder's ids and addresses, and the lab's in their place. */
export interface IdMap {
  learn(kind: Kind, recorded: unknown, ours: unknown): void;
  learnAddress(recorded: unknown, ours: unknown): void;
  /** An answer of which the recording keeps only the size: its ids are told apart later, by order. */
  unseen(kind: Kind, ours: unknown): void;
  path(path: string): string;
  query(query: string): string;
  /** `path` as recorded. Addresses are changed only where they have to be those of the thing itself. */
  body(body: unknown, path: string): unknown;
  /** The lab's id for one of the recorder's; the recorder's own when nothing is known of it. */
  ours(kind: Kind, recorded: number): number;
}

/** Keys of bodies that hold an id or ids, and of what. A text in their place is a name. */
const KEYS: Readonly<Record<string, Kind>> = {
  server: 'server',
  network: 'network',
  networks: 'network',
  ssh_keys: 'ssh_key',
  firewall: 'firewall',
  placement_group: 'placement_group',
  image: 'image',
  iso: 'iso',
  load_balancer_type: 'load_balancer_type',
  assignee_id: 'server',
  certificates: 'certificate',
  ipv4: 'primary_ip',
  ipv6: 'primary_ip',
};

const kindOfPath = (segment: string): Kind => segment.replace(/s$/, '');

export function createIdMap(): IdMap {
  const ids = new Map<string, number>();
  const addresses = new Map<string, string>();
  const waiting = new Map<Kind, number[]>();

  const ours = (kind: Kind, recorded: number): number => {
    const key = `${kind}/${recorded}`;
    const known = ids.get(key);
    if (known !== undefined) return known;
    // The recorder counted from 10000: such an id is one that the recording made and does not show.
    const next = recorded > 10_000 && recorded < 100_000 ? waiting.get(kind)?.shift() : undefined;
    if (next === undefined) return recorded;
    ids.set(key, next);
    return next;
  };
  const walk = (value: unknown, kind: Kind | undefined, own: boolean): unknown => {
    if (typeof value === 'number') return kind === undefined ? value : ours(kind, value);
    if (typeof value === 'string') return own ? (addresses.get(value) ?? value) : value;
    if (Array.isArray(value)) return value.map((item): unknown => walk(item, kind, own));
    if (!isObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, walk(item, key === 'id' ? kind : KEYS[key], own)]));
  };

  return {
    ours,
    learn(kind, recorded, mine) {
      if (typeof recorded !== 'number' || typeof mine !== 'number') return;
      ids.set(`${kind}/${recorded}`, mine);
      waiting.set(kind, (waiting.get(kind) ?? []).filter((id) => id !== mine));
    },
    learnAddress(recorded, mine) {
      if (typeof recorded === 'string' && typeof mine === 'string') addresses.set(recorded, mine);
    },
    unseen(kind, mine) {
      if (typeof mine === 'number') waiting.set(kind, [...(waiting.get(kind) ?? []), mine]);
    },
    path: (path) => path.replaceAll(/\/([a-z_]+)\/(\d+)/g, (_all, segment: string, id: string) => `/${segment}/${ours(kindOfPath(segment), Number(id))}`),
    query: (query) =>
      query.replaceAll(/(^|&)id=(\d+)/g, (_all, before: string, id: string) => `${before}id=${ours('action', Number(id))}`),
    body: (body, path) => walk(body, undefined, path.endsWith('/change_dns_ptr')),
  };
}

/**
 * Answers that create servers are long, and the recordings keep only their size. Which actions belonged to them is seen in
 * the polls: create_server and start_server, in the order of the requests.
 */
export function unseenServers(chain: readonly Recording[]): { server: number; create: number; start: number | undefined }[] {
  const seen = new Map<number, { command: string; server: number }>();
  for (const { answer } of chain.flatMap((recording) => recording.requests)) {
    const list = isObject(answer) ? [answer['actions'], answer['action'], answer['next_actions']].flat() : [];
    for (const action of list) {
      if (!isObject(action) || typeof action['id'] !== 'number' || typeof action['command'] !== 'string') continue;
      const resources: unknown[] = Array.isArray(action['resources']) ? action['resources'] : [];
      const server = resources.find((resource) => isObject(resource) && resource['type'] === 'server');
      if (isObject(server) && typeof server['id'] === 'number')
        seen.set(action['id'], { command: action['command'], server: server['id'] });
    }
  }
  const inOrder = [...seen].toSorted(([a], [b]) => a - b);
  return inOrder
    .filter(([, action]) => action.command === 'create_server')
    .map(([create, { server }]) => ({
      server,
      create,
      start: inOrder.find(([id, action]) => action.command === 'start_server' && action.server === server && id > create)?.[0],
    }));
}
