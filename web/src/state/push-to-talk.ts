import type { LocalMedia } from './local-media';

const KEY = ' ';
/** Where the space bar has a meaning of its own. */
const TAKEN =
  'input, textarea, select, [contenteditable], [role="switch"], [role="menuitem"], [role="menuitemradio"], [role="option"]';
/** And where it has one only for who went there with the keyboard: a click leaves the focus behind. */
const PRESSED = 'button, a, summary';

type Pressed = Pick<
  KeyboardEvent,
  'defaultPrevented' | 'key' | 'repeat' | 'ctrlKey' | 'metaKey' | 'altKey' | 'target' | 'preventDefault'
>;

/** Speaks while the space bar is held down. */
export class PushToTalk {
  readonly #media: Pick<LocalMedia, 'get'>;
  readonly #talk: (on: boolean) => void;
  #talking = false;
  /** What was clicked last. */
  #clicked: Element | null = null;

  constructor(media: Pick<LocalMedia, 'get'>, talk: (on: boolean) => void) {
    this.#media = media;
    this.#talk = talk;
  }

  clicked({ target }: Pick<Event, 'target'>): void {
    this.#clicked = target instanceof Element ? target.closest(PRESSED) : null;
  }

  pressed(event: Pressed): void {
    if (event.key === 'Tab') this.#clicked = null;
    if (
      event.defaultPrevented ||
      event.key !== KEY ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      this.#isTaken(event.target)
    )
      return;
    const { on, track } = this.#media.get().mic;
    if (!this.#talking && (on || track?.readyState !== 'live')) return;
    // Not for what is behind it: a space scrolls pages and presses buttons.
    event.preventDefault();
    if (this.#talking || event.repeat) return;
    this.#talking = true;
    this.#talk(true);
  }

  /** The key was let go; or nobody will tell, because another window is in front. */
  released(event?: Pick<KeyboardEvent, 'key' | 'preventDefault'>): void {
    // Of keys that were held with the command key a Mac tells nothing.
    if (!this.#talking || (event && event.key !== KEY && event.key !== 'Meta')) return;
    event?.preventDefault();
    this.#talking = false;
    this.#talk(false);
  }

  #isTaken(target: EventTarget | null): boolean {
    if (!(target instanceof Element)) return false;
    const button = target.closest(PRESSED);
    return target.closest(TAKEN) !== null || (button !== null && button !== this.#clicked);
  }
}
