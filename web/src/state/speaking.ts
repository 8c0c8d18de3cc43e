import type { AudioLevel, ParticipantId } from '../client';
import { participantOf, sourceOf } from '../client/roster';

/** In dBov. Quieter is breathing and keyboards. */
const SPEAKING_LEVEL_MIN = -50;
/** Long enough to bridge the pause between two words. */
const HOLD_MS = 800;

/** Who is speaking, from what the server says about levels a few times a second. */
export class SpeakingTracker {
  readonly #until = new Map<ParticipantId, number>();

  /** Takes levels in at the time `now`, in milliseconds. */
  heard(levels: readonly AudioLevel[], now: number): void {
    for (const { producerId, level } of levels) {
      if (level >= SPEAKING_LEVEL_MIN && sourceOf(producerId) === 'mic') {
        this.#until.set(participantOf(producerId), now + HOLD_MS);
      }
    }
  }

  /** Who is speaking at the time `now`. */
  speaking(now: number): Set<ParticipantId> {
    for (const [id, until] of this.#until) if (until <= now) this.#until.delete(id);
    return new Set(this.#until.keys());
  }
}
