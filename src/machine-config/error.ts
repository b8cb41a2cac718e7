/** Where in a text: both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What kind of trouble a machine configuration gives; scripts and callers match on it. */
export type MachineConfigErrorCode =
  /** Not YAML at all, or YAML that is no machine configuration. */
  | 'unreadable'
  /** A key, kind or value that this Talos version does not know. */
  | 'unknown'
  /** A value of the wrong type. */
  | 'type'
  /** The patch says something that cannot be done to this configuration. */
  | 'patch'
  /** Two documents or settings that exclude each other. */
  | 'conflict'
  /** Text that came from a redacted view: applying it would turn the masks into real values. */
  | 'redacted'
  /** The edit has no place in this configuration, or would leave it in a state it must not be in. */
  | 'edit';

/** Trouble with a machine configuration's text. Files are the caller's business: `name` is set for patches only. */
export class MachineConfigError extends Error {
  override readonly name = 'MachineConfigError';
  readonly code: MachineConfigErrorCode;
  readonly position: Position | undefined;
  /** The bare sentence, without position. */
  readonly what: string;

  constructor(code: MachineConfigErrorCode, what: string, position?: Position) {
    super(position === undefined ? what : `${position.line}:${position.column}: ${what}`);
    this.code = code;
    this.what = what;
    this.position = position;
  }

  /** The same trouble, told of a named patch. */
  inPatch(patch: string): MachineConfigError {
    return new MachineConfigError(this.code, `patch ${patch}: ${this.message}`);
  }
}
