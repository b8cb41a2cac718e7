/** What a knob can be turned to; `range` is a time drawn evenly between two bounds. */
export type KnobForm = 'number' | 'range' | 'yes' | 'choice' | 'refusal' | 'addresses';

/** One thing about the outside world that the lab had to decide. */
export interface KnobRule {
  /** Area and path in it, as `cloud.delays.assign`. */
  readonly name: string;
  readonly brief: string;
  readonly unit: string;
  /** `guess`: no document and no client says it. Otherwise it is known, but differs from project to project or by version. */
  readonly guess: boolean;
  /** Where the value comes from. */
  readonly source: string;
  /** The only values of a choice. */
  readonly choices?: readonly (string | number)[];
}

/** A knob as `fairlead lab knobs` prints it. */
export interface Knob extends KnobRule {
  readonly form: KnobForm;
  /** In the form in which it is given: `1000-3000`, `422 service_error`. */
  readonly default: string;
  /** In force in a lab; absent without one. */
  readonly value?: string;
}
