import { Failure, type FailureCode } from './failure';
import { joinPlace } from './join-place';
import type { JoinPlaceReply } from './protocol';

const TOKEN_GONE: FailureCode[] = ['session_expired', 'unauthorized'];

/** Where to join a room, attempt by attempt: not again at the node where the last one failed, if there is another. */
export class JoinPlaces {
  readonly #origin: string;
  readonly #room: string;
  #next: JoinPlaceReply | undefined;
  #resumeToken: string | undefined;
  #failed: JoinPlaceReply | undefined;

  /** `first` was asked for by the caller, with `resumeToken`. */
  constructor(origin: string, room: string, first: JoinPlaceReply, resumeToken: string | undefined) {
    this.#origin = origin;
    this.#room = room;
    this.#next = first;
    this.#resumeToken = resumeToken;
  }

  /** Rejects with a `Failure`. */
  async next(): Promise<JoinPlaceReply> {
    const place = this.#next ?? (await this.#ask());
    this.#next = undefined;
    return place;
  }

  /** The attempt at `place` failed, and another may not. */
  failed(place: JoinPlaceReply, { retryable }: Failure): void {
    this.#failed = retryable ? place : undefined;
  }

  /** The next stay will be that of somebody new, wherever it may be. */
  entered(): void {
    this.#failed = undefined;
    this.#resumeToken = undefined;
  }

  async #ask(): Promise<JoinPlaceReply> {
    const failed = this.#failed;
    const resumeToken = this.#resumeToken;
    try {
      const place = await joinPlace(this.#origin, this.#room, {
        ...(resumeToken !== undefined && { resumeToken }),
        ...(failed && { avoid: [failed.node] }),
      });
      // Where there is no other node, the token of before makes one the same participant.
      return place.node === failed?.node ? failed : place;
    } catch (thrown) {
      // What failed may have brought us in unheard, and ended the resume token with that.
      const tokenGone = resumeToken !== undefined && TOKEN_GONE.includes(Failure.from(thrown).code);
      if (failed && tokenGone) return failed;
      throw thrown;
    }
  }
}
