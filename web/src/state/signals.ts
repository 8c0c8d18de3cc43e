import type { Meeting, ParticipantId } from '../client';
import { Store } from './store';

/** What can be shown of a moment, by names for those who do not see it. */
export const REACTIONS = [
  { emoji: '👍', name: 'thumbsUp' },
  { emoji: '👏', name: 'applause' },
  { emoji: '❤️', name: 'heart' },
  { emoji: '😂', name: 'laughter' },
  { emoji: '😮', name: 'surprise' },
  { emoji: '🎉', name: 'celebration' },
  { emoji: '🤔', name: 'thinking' },
  { emoji: '👎', name: 'thumbsDown' },
] as const;

export type ReactionName = (typeof REACTIONS)[number]['name'];

export interface Reaction {
  /** Another one is another thing to see, though it be the same. */
  id: number;
  emoji: string;
  /** Where it is one of those that this client knows. */
  name: ReactionName | undefined;
}

export interface SignalsState {
  /** What people show now; the newest last. */
  reactions: ReadonlyMap<ParticipantId, Reaction>;
  /** Who writes to the chat now. */
  typing: ReadonlySet<ParticipantId>;
}

/** One of them: a picture, with what varies it and joins it to others. */
const EMOJI = /^\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\ufe0f|\u200d\p{Extended_Pictographic})*$/u;
const REACTION_MS = 5_000;
/** Whoever goes on to type says so again before it is over. */
const TYPING_MS = 5_000;
const TYPING_SAID_MS = 3_000;

/** What people show of this moment: reactions, and that they are typing. */
export class Signals extends Store<SignalsState> {
  readonly #meeting: Meeting;
  readonly #offs: (() => void)[];
  readonly #typing = new Map<ParticipantId, ReturnType<typeof setTimeout>>();
  #count = 0;
  #saidTypingAt = Number.NEGATIVE_INFINITY;

  constructor(meeting: Meeting) {
    super({ reactions: new Map(), typing: new Set() });
    this.#meeting = meeting;
    this.#offs = [
      meeting.on('signal', (signal) => {
        if (signal.kind === 'typing') this.#types(signal.who);
        else this.#show(signal.who, signal.emoji);
      }),
      // A message that is there is typed no more.
      meeting.on('chat', ({ messages }) => {
        const last = messages.at(-1);
        if (last) this.#typesNoMore(last.participantId);
      }),
      meeting.on('participantLeft', ({ id }) => this.#typesNoMore(id)),
    ];
  }

  /** Shows the others a reaction, and oneself. */
  react(emoji: string): void {
    this.#meeting.signal({ kind: 'reaction', emoji });
    this.#show(this.#meeting.selfId, emoji);
  }

  /** One writes. */
  types(): void {
    const now = performance.now();
    if (now - this.#saidTypingAt < TYPING_SAID_MS) return;
    this.#saidTypingAt = now;
    this.#meeting.signal({ kind: 'typing' });
  }

  close(): void {
    for (const off of this.#offs) off();
    for (const timer of this.#typing.values()) clearTimeout(timer);
  }

  #show(who: ParticipantId, emoji: string): void {
    // Other clients may send anything.
    if (!EMOJI.test(emoji)) return;
    this.#count += 1;
    const id = this.#count;
    const reactions = new Map(this.get().reactions);
    reactions.delete(who);
    reactions.set(who, { id, emoji, name: REACTIONS.find((known) => known.emoji === emoji)?.name });
    this.update({ reactions });
    setTimeout(() => {
      if (this.get().reactions.get(who)?.id !== id) return;
      const left = new Map(this.get().reactions);
      left.delete(who);
      this.update({ reactions: left });
    }, REACTION_MS);
  }

  #types(who: ParticipantId): void {
    clearTimeout(this.#typing.get(who));
    const isNew = !this.#typing.has(who);
    this.#typing.set(
      who,
      setTimeout(() => this.#typesNoMore(who), TYPING_MS),
    );
    if (isNew) this.update({ typing: new Set(this.#typing.keys()) });
  }

  #typesNoMore(who: ParticipantId): void {
    clearTimeout(this.#typing.get(who));
    if (this.#typing.delete(who)) this.update({ typing: new Set(this.#typing.keys()) });
  }
}
