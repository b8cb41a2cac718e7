import type { Action, Resource, ResourceType } from './state.ts';

/** A project's actions, each for ever: old clients poll without end for one that is missing. */
export interface ActionLog {
  /** Ids grow from one to the next. */
  add(action: Action): void;
  get(id: number): Action | undefined;
  /** All that match, in the order of their ids. */
  matching(resource: { readonly type: ResourceType; readonly id?: number }): readonly Action[];
  /** All there are, in the order of their ids. */
  all(): readonly Action[];
  readonly size: number;
}

/** So many of the last actions are objects; what is older and has ended is packed. */
const RECENT = 500;
/** Rows a chunk; columns: id, started, finished, command and status, and up to three resources. */
const ROWS = 1_024;
const RESOURCES = 3;
const WIDTH = 4 + RESOURCES;

const NUMBERS: Readonly<Record<ResourceType, number>> = {
  server: 0,
  floating_ip: 1,
  network: 2,
  primary_ip: 3,
  load_balancer: 4,
  firewall: 5,
  certificate: 6,
  zone: 7,
  image: 8,
};
const TYPES = Object.keys(NUMBERS) as readonly ResourceType[];

/**
 * Keeps every action without growing by more than 56 bytes for each: numbers in rows, where an object takes some 600
 * bytes. Those that failed or touched more resources than a row holds are few, and stay as they are.
 */
export function createActionLog(recent = RECENT): ActionLog {
  const live = new Map<number, Action>();
  const whole = new Map<number, Action>();
  const chunks: Float64Array[] = [];
  const commands: string[] = [];
  let rows = 0;

  const cell = (row: number, column: number): number =>
    chunks[Math.floor(row / ROWS)]?.[(row % ROWS) * WIDTH + column] ?? 0;

  const pack = (action: Action): void => {
    const { id, command, started, finished, resources, error, status } = action;
    if (status !== 'success' || finished === null || error !== null || resources.length > RESOURCES) {
      whole.set(id, action);
      return;
    }
    if (rows % ROWS === 0) chunks.push(new Float64Array(ROWS * WIDTH));
    let known = commands.indexOf(command);
    if (known < 0) known = commands.push(command) - 1;
    chunks
      .at(-1)
      ?.set([id, started.getTime(), finished.getTime(), known, ...resources.map(packResource)], (rows % ROWS) * WIDTH);
    rows += 1;
  };

  const resourcesOf = (row: number): Resource[] => {
    const found: Resource[] = [];
    for (let n = 0; n < RESOURCES && cell(row, 4 + n) > 0; n += 1) found.push(unpackResource(cell(row, 4 + n)));
    return found;
  };
  const unpack = (row: number): Action => ({
    id: cell(row, 0),
    command: commands[cell(row, 3)] ?? '',
    status: 'success',
    progress: 100,
    started: new Date(cell(row, 1)),
    finished: new Date(cell(row, 2)),
    resources: resourcesOf(row),
    error: null,
  });

  /** Rows are in the order of ids. */
  const find = (id: number): Action | undefined => {
    let [low, high] = [0, rows - 1];
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const here = cell(middle, 0);
      if (here === id) return unpack(middle);
      if (here < id) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  };

  return {
    add(action) {
      live.set(action.id, action);
      if (live.size <= recent) return;
      for (const [id, oldest] of live) {
        live.delete(id);
        // One that still runs ends as the object it is.
        pack(oldest);
        break;
      }
    },
    get: (id) => live.get(id) ?? whole.get(id) ?? find(id),
    matching({ type, id }) {
      const fits = (resource: Resource): boolean => resource.type === type && (id === undefined || resource.id === id);
      const found: Action[] = [];
      for (let row = 0; row < rows; row += 1) if (resourcesOf(row).some(fits)) found.push(unpack(row));
      for (const action of [...whole.values(), ...live.values()]) if (action.resources.some(fits)) found.push(action);
      return found.toSorted((a, b) => a.id - b.id);
    },
    all: () =>
      [...Array.from({ length: rows }, (_, row) => unpack(row)), ...whole.values(), ...live.values()].toSorted(
        (a, b) => a.id - b.id,
      ),
    get size() {
      return rows + whole.size + live.size;
    },
  };
}

/** Never 0: ids begin at 1. */
const packResource = ({ type, id }: Resource): number => id * 16 + NUMBERS[type];
const unpackResource = (packed: number): Resource => ({
  id: Math.floor(packed / 16),
  type: TYPES[packed % 16] ?? 'server',
});
