/**
 * JSON in the browser's storage. Storage can be full, forbidden or filled with anything by hand: reading then gives
 * `undefined` and writing does nothing, because nothing that is kept there is needed to hold a meeting.
 */
export interface Shelf {
  read(key: string): unknown;
  write(key: string, value: unknown): void;
  remove(key: string): void;
}

export function shelf(storage: () => Storage): Shelf {
  const attempt = <T>(action: () => T): T | undefined => {
    try {
      return action();
    } catch {
      return undefined;
    }
  };
  return {
    read: (key) => attempt(() => JSON.parse(storage().getItem(key) ?? 'null') ?? undefined),
    write: (key, value) => void attempt(() => storage().setItem(key, JSON.stringify(value))),
    remove: (key) => void attempt(() => storage().removeItem(key)),
  };
}

/** Kept until the person clears it. */
export const lasting = shelf(() => globalThis.localStorage);

/** Kept for the life of this tab, reloads included. */
export const ofThisTab = shelf(() => globalThis.sessionStorage);
