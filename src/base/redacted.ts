import { inspect } from 'node:util';

const MASK = '***';

/**
 * A secret on its way through the program. However it is printed (template, JSON, console, error), it prints as ***;
 * only `reveal()` gives the value, so a search for that word finds every place where a secret leaves its wrapper.
 */
export class Redacted<T extends string | Uint8Array = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return MASK;
  }

  toJSON(): string {
    return MASK;
  }

  [inspect.custom](): string {
    return MASK;
  }

  [Symbol.toPrimitive](): string {
    return MASK;
  }
}

/** Replaces every occurrence of the given secrets in a text that came from elsewhere (an API's error, a diff). */
export function redactText(text: string, secrets: readonly Redacted[]): string {
  let clean = text;
  for (const secret of secrets) {
    const value = secret.reveal();
    if (value.length >= 4) clean = clean.replaceAll(value, MASK);
  }
  return clean;
}
