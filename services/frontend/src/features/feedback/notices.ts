/** Error messages, kept until the user dismisses them. */
export interface Notice {
  readonly id: number;
  readonly message: string;
}

/** More would cover the page; the oldest are removed first. */
const MOST = 3;

export class Notices {
  readonly #listeners = new Set<() => void>();
  #notices: readonly Notice[] = [];
  #nextId = 1;

  readonly list = (): readonly Notice[] => this.#notices;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  report(message: string): void {
    this.#update([...this.#notices, { id: this.#nextId++, message }].slice(-MOST));
  }

  dismiss(id: number): void {
    this.#update(this.#notices.filter((notice) => notice.id !== id));
  }

  #update(notices: readonly Notice[]): void {
    this.#notices = notices;
    for (const listener of this.#listeners) listener();
  }
}
