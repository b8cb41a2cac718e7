/** What one side pushes, the other iterates over, in order. Ends when closed, throws when failed; what was pushed before comes first. */
export class Queue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  #ended: { readonly error?: unknown } | undefined;
  #wake: (() => void) | undefined;

  push(item: T): void {
    if (this.#ended !== undefined) return;
    this.#items.push(item);
    this.#wake?.();
  }

  close(): void {
    this.#ended ??= {};
    this.#wake?.();
  }

  fail(error: unknown): void {
    this.#ended ??= { error };
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (;;) {
      const item = this.#items.shift();
      if (item !== undefined) yield item;
      else if (this.#ended !== undefined) {
        if ('error' in this.#ended) throw this.#ended.error;
        return;
      } else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
