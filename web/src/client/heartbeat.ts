const TICK_MS = 250;
const BEAT_EVERY_TICKS = 4;
const SILENCE_MS_MAX = 2_000;
/** A tick that comes later than this says that this page was busy or asleep, which is no news about the network. */
const TICK_MS_MAX = 1_100;

/**
 * Finds out within two seconds that a connection carries nothing any more: `beat` asks the other side for a sign
 * of life each second, `heard` notes any, `onSilent` is called once when none came for two seconds.
 */
export class Heartbeat {
  #silentMs = 0;
  #ticks = 0;
  #last: number;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(beat: () => void, onSilent: () => void, now: () => number = () => performance.now()) {
    this.#last = now();
    this.#timer = setInterval(() => {
      const elapsed = now() - this.#last;
      this.#last += elapsed;
      this.#silentMs += Math.min(elapsed, TICK_MS_MAX);
      this.#ticks += 1;
      if (this.#silentMs >= SILENCE_MS_MAX) {
        this.stop();
        onSilent();
      } else if (this.#ticks % BEAT_EVERY_TICKS === 0) {
        beat();
      }
    }, TICK_MS);
  }

  heard(): void {
    this.#silentMs = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
