/** What a project of the cloud is, in the fewest words: what the simulator is held against. Times in milliseconds. */
export interface ModelServer {
  readonly name: string;
  protected: boolean;
  status: 'initializing' | 'starting' | 'running' | 'stopping' | 'off' | 'deleting';
}

export interface ModelAddress {
  readonly name: string;
  server: number | null;
  protected: boolean;
}

export const DELAYS = {
  assign: 2_000,
  unassign: 1_500,
  createServer: 20_000,
  startServer: 1_000,
  deleteServer: 3_000,
  power: 1_200,
  setting: 300,
} as const;
export const QUOTAS = { servers: 5, floatingIPs: 4, floatingIPsPerServer: 2 } as const;
export const RATE = { capacity: 120, refillPerSecond: 2 } as const;

interface Pending {
  readonly due: number;
  readonly turn: number;
  readonly land: () => void;
}

export class ProjectModel {
  now = 0;
  readonly servers = new Map<number, ModelServer>();
  readonly addresses = new Map<number, ModelAddress>();
  /** What runs on a thing, by `kind/id`. */
  readonly locks = new Set<string>();
  readonly actions = new Map<number, 'running' | 'success'>();
  /** All that ever were, also those that are gone. */
  readonly everServers: number[] = [];
  readonly everAddresses: number[] = [];
  /** Every id that was ever given. */
  readonly given: number[] = [];
  /** In thousandths of a request. */
  #level: number = RATE.capacity * 1000;
  #filled = 0;
  #turn = 0;
  #pending: Pending[] = [];

  /** Takes a request out of the budget; false when there is none. */
  take(): boolean {
    this.#level = Math.min(RATE.capacity * 1000, this.#level + (this.now - this.#filled) * RATE.refillPerSecond);
    this.#filled = this.now;
    if (this.#level < 1000) return false;
    this.#level -= 1000;
    return true;
  }

  get remaining(): number {
    return Math.floor(this.#level / 1000);
  }

  held(server: number): number[] {
    return [...this.addresses].filter(([, address]) => address.server === server).map(([id]) => id);
  }

  /** An action that was told of: what it does lands when it ends. */
  start(id: number, delay: number, locks: readonly string[], effect: () => void): void {
    for (const lock of locks) this.locks.add(lock);
    this.actions.set(id, 'running');
    this.#after(delay, () => {
      for (const lock of locks) this.locks.delete(lock);
      this.actions.set(id, 'success');
      effect();
    });
  }

  #after(delay: number, land: () => void): void {
    this.#pending.push({ due: this.now + delay, turn: (this.#turn += 1), land });
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      const [next] = this.#pending.toSorted((a, b) => a.due - b.due || a.turn - b.turn);
      if (next === undefined || next.due > until) break;
      this.#pending = this.#pending.filter((one) => one !== next);
      this.now = next.due;
      next.land();
    }
    this.now = until;
  }
}
