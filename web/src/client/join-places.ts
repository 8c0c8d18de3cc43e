import { Failure, type FailureCode } from './failure';
import { joinPlace } from './join-place';
import type { JoinPlaceReply, NodeId } from './protocol';

const TOKEN_GONE: FailureCode[] = ['session_expired', 'unauthorized'];

/**
 * Where this page last tried to come back by a token, and was not heard. That may have brought it in all the same, much
 * later, and ended the token with that: then the place lets it be the same participant once more.
 */
let unheard: { resumeToken: string; place: JoinPlaceReply } | undefined;

/** Where to join a room, as the participant of the token if there is one. Rejects with a `Failure`. */
export async function askForPlace(
  origin: string,
  room: string,
  resumeToken: string | undefined,
  avoid?: NodeId,
): Promise<JoinPlaceReply> {
  try {
    return await joinPlace(origin, room, {
      ...(resumeToken !== undefined && { resumeToken }),
      ...(avoid !== undefined && { avoid: [avoid] }),
    });
  } catch (thrown) {
    const tried = resumeToken !== undefined && unheard?.resumeToken === resumeToken ? unheard.place : undefined;
    if (tried && TOKEN_GONE.includes(Failure.from(thrown).code)) {
      // Once: it ends soon after it was given.
      unheard = undefined;
      return tried;
    }
    throw thrown;
  }
}

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
    if (retryable && this.#resumeToken !== undefined) unheard = { resumeToken: this.#resumeToken, place };
  }

  /** The next stay will be that of somebody new, wherever it may be. */
  entered(): void {
    this.#failed = undefined;
    this.#resumeToken = undefined;
    unheard = undefined;
  }

  async #ask(): Promise<JoinPlaceReply> {
    const failed = this.#failed;
    const place = await askForPlace(this.#origin, this.#room, this.#resumeToken, failed?.node);
    // Where there is no other node, the token of before makes one the same participant.
    return place.node === failed?.node ? failed : place;
  }
}
