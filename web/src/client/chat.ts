import { Failure } from './failure';
import type { ChatMessage, ParticipantId } from './protocol';

/** What somebody wrote, as the room has it. */
export interface Message extends ChatMessage {
  /** Whether it is one's own, also of a stay before this one. */
  readonly own: boolean;
}

/** What one wrote oneself and the room has not, or is not known to have. Immutable. */
export interface OwnMessage {
  readonly key: number;
  readonly text: string;
  /** `sent`: the room has it, and is about to say under which number. */
  readonly state: 'sending' | 'sent' | 'notSent';
  /** Why it was not sent. */
  readonly failure?: Failure;
}

export interface ChatState {
  /** In the room's order, the newest 1,000. */
  readonly messages: readonly Message[];
  /** In the order in which they were written; they come after `messages`. */
  readonly underWay: readonly OwnMessage[];
}

export const CHAT_MESSAGES_MAX = 1_000;
export const CHAT_UNDER_WAY_MAX = 50;

/** What was being sent when its session ended: whether the room has it, its next snapshot tells. */
interface Doubt {
  readonly key: number;
  /** The newest number that was known then. */
  readonly after: number;
}

/** What is written in the room, and one's own messages on their way there. */
export class Chat {
  readonly #request: (text: string) => Promise<unknown>;
  readonly #changed: (state: ChatState) => void;
  readonly #selfIds = new Set<ParticipantId>();
  #state: ChatState = { messages: [], underWay: [] };
  #keys = 0;
  /** One at a time, or a message that is repeated would be overtaken by the next. */
  #requested: number | undefined;
  #doubt: Doubt | undefined;

  /** `request` resolves when the room has the text, however often it has to be repeated for that. */
  constructor(request: (text: string) => Promise<unknown>, changed: (state: ChatState) => void) {
    this.#request = request;
    this.#changed = changed;
  }

  /** The same object until something changes. */
  get state(): ChatState {
    return this.#state;
  }

  /** The newest messages, from a snapshot; older ones that were seen before stay. */
  welcomed(selfId: ParticipantId, newest: readonly ChatMessage[]): void {
    this.#selfIds.add(selfId);
    const before = continues(this.#state.messages, newest) ? this.#state.messages : [];
    const first = newest[0]?.number ?? 0;
    const messages = [
      ...before.filter(({ number }) => number < first),
      ...newest.map((message) => this.#message(message)),
    ];
    const known = before.at(-1)?.number ?? 0;
    let { underWay } = this.#state;
    for (const message of newest) {
      if (message.number > known) underWay = this.#without(underWay, message);
    }
    // What the room has and does not tell of is further back than the snapshot.
    this.#set({ messages, underWay: underWay.filter(({ state }) => state !== 'sent') });
    this.#settleDoubt(newest);
    this.#pump();
  }

  /** `chatMessage`. */
  received(message: ChatMessage): void {
    const { messages, underWay } = this.#state;
    if (message.number <= (messages.at(-1)?.number ?? 0)) return;
    this.#set({ messages: [...messages, this.#message(message)], underWay: this.#without(underWay, message) });
  }

  /** Whether it was taken: not if there is nothing in it, nor while too many are under way. */
  send(text: string): boolean {
    const tidied = tidy(text);
    const { messages, underWay } = this.#state;
    if (tidied === '' || underWay.length >= CHAT_UNDER_WAY_MAX) return false;
    this.#keys += 1;
    this.#set({ messages, underWay: [...underWay, { key: this.#keys, text: tidied, state: 'sending' }] });
    this.#pump();
    return true;
  }

  /** Sends again, as the newest, what was not sent. */
  retry(key: number): void {
    const failed = this.#state.underWay.find((one) => one.key === key && one.state === 'notSent');
    if (!failed) return;
    this.remove(key);
    this.send(failed.text);
  }

  /** Forgets what was not sent. */
  remove(key: number): void {
    const { messages, underWay } = this.#state;
    this.#set({ messages, underWay: underWay.filter((one) => one.key !== key || one.state !== 'notSent') });
  }

  #pump(): void {
    if (this.#requested !== undefined || this.#doubt) return;
    const next = this.#state.underWay.find(({ state }) => state === 'sending');
    if (!next) return;
    const { key } = next;
    this.#requested = key;
    this.#request(next.text).then(
      () => this.#answered(key, (one) => ({ ...one, state: 'sent' })),
      (thrown: unknown) => {
        const failure = Failure.from(thrown);
        if (failure.code !== 'closed') {
          this.#answered(key, (one) => ({ ...one, state: 'notSent', failure }));
          return;
        }
        this.#doubt = { key, after: this.#state.messages.at(-1)?.number ?? 0 };
        this.#requested = undefined;
      },
    );
  }

  /** Nothing is left to change where the message came before the answer. */
  #answered(key: number, change: (one: OwnMessage) => OwnMessage): void {
    this.#requested = undefined;
    const { messages, underWay } = this.#state;
    if (underWay.some((one) => one.key === key)) {
      this.#set({ messages, underWay: underWay.map((one) => (one.key === key ? change(one) : one)) });
    }
    this.#pump();
  }

  /** The first snapshot of the next session has all that the one before brought to the room. */
  #settleDoubt(newest: readonly ChatMessage[]): void {
    if (!this.#doubt) return;
    const { key, after } = this.#doubt;
    this.#doubt = undefined;
    const reachesBack = (newest[0]?.number ?? 1) <= after + 1;
    // Then it did not arrive, or is not under way any more: it is sent again.
    if (reachesBack) return;
    const failure = new Failure('closed', 'the session expired');
    this.#answered(key, (one) => ({ ...one, state: 'notSent', failure }));
  }

  /** Without the one that has arrived, and those that the room has from before it. */
  #without(underWay: readonly OwnMessage[], arrived: ChatMessage): readonly OwnMessage[] {
    if (!this.#selfIds.has(arrived.participantId)) return underWay;
    const key = this.#requested ?? this.#doubt?.key;
    const place = underWay.findIndex(
      (one) => one.text === arrived.text && (one.state === 'sent' || (one.state === 'sending' && one.key === key)),
    );
    return place < 0 ? underWay : underWay.filter((one, at) => at !== place && (at > place || one.state !== 'sent'));
  }

  #message(message: ChatMessage): Message {
    return { ...message, own: this.#selfIds.has(message.participantId) };
  }

  #set({ messages, underWay }: ChatState): void {
    this.#state = { messages: messages.slice(-CHAT_MESSAGES_MAX), underWay };
    this.#changed(this.#state);
  }
}

/** As the server trims it, so that what comes back is recognised; half characters are no text. */
function tidy(text: string): string {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '').replace(/\p{Surrogate}/gu, '\ufffd');
}

/** Whether it is still the same room: one that ended and began again counts from 1. */
function continues(messages: readonly ChatMessage[], newest: readonly ChatMessage[]): boolean {
  const last = messages.at(-1);
  if (!last) return true;
  if ((newest.at(-1)?.number ?? 0) < last.number) return false;
  const same = newest.find(({ number }) => number === last.number);
  return !same || (same.timeMs === last.timeMs && same.participantId === last.participantId);
}
