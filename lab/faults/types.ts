/** A parameter of a fault, as the command line and the control route take it. */
export interface ParameterRule {
  readonly name: string;
  /**
   * `duration` is written 90s, 2m, 500ms and held in milliseconds of the wall clock; `glob` knows `*` (anything but a
   * slash) and `**` (anything); `offset` is a duration that may be negative; `party` is a party of the network; `sender` is a name of `lab requests`' BY column.
   */
  readonly form:
    | 'text'
    | 'whole'
    | 'duration'
    | 'glob'
    | 'sender'
    | 'node'
    | 'party'
    | 'percent'
    | 'address'
    | 'yes'
    | 'offset';
  readonly brief: string;
  readonly required?: true;
  readonly default?: Value;
  /** The only values it takes. */
  readonly values?: readonly string[];
}

export type Value = string | number | boolean;
export type Parameters = Readonly<Record<string, Value>>;

/** One primitive of the catalogue. */
export interface FaultRule {
  readonly kind: string;
  readonly system:
    | 'cloud API'
    | 'actions'
    | 'project'
    | 'network'
    | 'DNS'
    | 'API server'
    | 'etcd'
    | 'machine'
    | 'address on nodes'
    | 'machine config';
  readonly brief: string;
  readonly parameters: readonly ParameterRule[];
}

/** A fault that was set. */
export interface Fault {
  readonly id: string;
  readonly kind: string;
  readonly parameters: Parameters;
  readonly setAt: Date;
  /** Aborted when it is cleared or its time is over, not when its count is used up: what hangs goes on hanging. */
  readonly signal: AbortSignal;
}

/** A fault as `fairlead lab fault show` prints it. */
export interface FaultReport {
  readonly id: string;
  readonly kind: string;
  readonly parameters: Parameters;
  /** `spent`: its count is used up or its time is over; it does nothing any more. */
  readonly state: 'active' | 'spent';
  readonly setAt: string;
  readonly hits: number;
  /** How often it will still act; absent = without end. */
  readonly left?: number;
  /** When it ends by itself. */
  readonly until?: string;
  /** What it has done to the world, and what its end could not put right. */
  readonly notes: readonly string[];
}

/** A fault that changes something when it is set tells how that is put right, and what could not be (if anything). */
export type Undo = () => Promise<string | undefined>;
export interface Standing {
  readonly note: string;
  /** What its undoing has to know (plain data), where the world it was set in no longer tells: for a world that was kept. */
  readonly memory?: unknown;
  /** It happened and is over: there is nothing to put right. */
  readonly over?: true;
  /** It has acted by being set. */
  readonly acted?: true;
  readonly undo: Undo;
}
