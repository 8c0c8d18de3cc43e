import { meter } from './audio-tools';
import type { LocalMedia } from './local-media';
import { Store } from './store';

/** On the scale of a meter: louder than a keyboard, as loud as somebody who means to be heard. */
const SPEECH_MIN = 0.5;
const LOOK_MS = 100;
/** Speech is so many looks in a row, short pauses left out of account. */
const LOOKS = 12;
const LOUD_LOOKS_MIN = 8;
/** For how long it is said, and how long it is not said again. */
const SHOWN_MS = 5_000;
const QUIET_MS = 20_000;

/** True for a moment when somebody speaks while their microphone is muted. Nothing of it leaves the page. */
export class MutedSpeech extends Store<boolean> {
  readonly #media: LocalMedia;
  readonly #measure: typeof meter;
  readonly #off: () => void;
  #stop: (() => void) | undefined;
  #of: MediaStreamTrack | undefined;

  constructor(media: LocalMedia, measure = meter) {
    super(false);
    this.#media = media;
    this.#measure = measure;
    this.#off = media.subscribe(() => this.#follow());
    this.#follow();
  }

  close(): void {
    this.#off();
    this.#stop?.();
  }

  #follow(): void {
    const { on, track } = this.#media.get().mic;
    const muted = !on && track?.readyState === 'live' ? track : undefined;
    if (muted === this.#of) return;
    this.#of = muted;
    this.#stop?.();
    this.#stop = muted && this.#listen(muted);
  }

  /** A muted track is silent here too; its copy is not, and is sent to nobody. */
  #listen(muted: MediaStreamTrack): () => void {
    const copy = muted.clone();
    copy.enabled = true;
    const levels = this.#measure(copy);
    const looks: boolean[] = [];
    let quietUntil = 0;
    const timer = setInterval(() => {
      looks.push(levels.read() >= SPEECH_MIN);
      if (looks.length > LOOKS) looks.shift();
      const now = performance.now();
      if (now < quietUntil || looks.filter(Boolean).length < LOUD_LOOKS_MIN) {
        if (this.get() && now > quietUntil - QUIET_MS + SHOWN_MS) this.set(false);
        return;
      }
      quietUntil = now + QUIET_MS;
      this.set(true);
    }, LOOK_MS);
    return () => {
      clearInterval(timer);
      levels.close();
      copy.stop();
      this.set(false);
    };
  }
}
