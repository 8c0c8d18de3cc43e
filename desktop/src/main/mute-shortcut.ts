import { globalShortcut } from 'electron';

/** The keys that mute from everywhere. They are taken in a meeting only: others may want them the rest of the day. */
export class MuteShortcut {
  readonly keys: string;
  readonly #onPress: () => void;
  #registered = false;

  constructor(keys: string, onPress: () => void) {
    this.keys = keys;
    this.#onPress = onPress;
  }

  /** False while it is not wanted, and where another application has the keys. */
  get works(): boolean {
    return this.#registered;
  }

  setWanted(wanted: boolean): void {
    if (wanted === this.#registered) return;
    if (!wanted) globalShortcut.unregister(this.keys);
    this.#registered = wanted && register(this.keys, this.#onPress);
  }
}

function register(keys: string, onPress: () => void): boolean {
  try {
    return globalShortcut.register(keys, onPress);
  } catch {
    // No keys at all, in a settings file that somebody wrote.
    return false;
  }
}
