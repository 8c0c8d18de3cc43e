import type { ChatState, Meeting } from '../client';
import { bytesOf, CHAT_TEXT_BYTES_MAX } from './chat-text';
import { Store } from './store';

export interface ChatViewState extends ChatState {
  open: boolean;
  /** Messages of others that came and were not on the screen yet. */
  unread: number;
  /** What is being written. */
  draft: string;
}

/** What the chat's panel and its button show. */
export class ChatView extends Store<ChatViewState> {
  readonly #meeting: Meeting;
  readonly #off: () => void;
  #readUpTo: number;
  #atEnd = true;

  constructor(meeting: Meeting) {
    super({ ...meeting.chat, open: false, unread: 0, draft: '' });
    this.#meeting = meeting;
    // What was written before one came is there to be read, and is no news.
    this.#readUpTo = newest(meeting.chat);
    this.#off = meeting.on('chat', (chat) => this.#show(chat));
  }

  toggle(): void {
    this.update({ open: !this.get().open });
    // It opens at its end.
    this.scrolled(true);
  }

  /** Whether the newest message is on the screen while the panel is open. */
  scrolled(atEnd: boolean): void {
    this.#atEnd = atEnd;
    this.#show(this.#meeting.chat);
  }

  write(draft: string): void {
    this.update({ draft });
  }

  /** False if there is nothing to send or it cannot be sent now. */
  send(): boolean {
    const { draft } = this.get();
    const sent = bytesOf(draft) <= CHAT_TEXT_BYTES_MAX && this.#meeting.sendChat(draft);
    if (sent) this.update({ draft: '' });
    return sent;
  }

  retry(key: number): void {
    this.#meeting.retryChat(key);
  }

  remove(key: number): void {
    this.#meeting.removeChat(key);
  }

  close(): void {
    this.#off();
  }

  #show(chat: ChatState): void {
    // A room that began again counts from 1.
    this.#readUpTo = Math.min(this.#readUpTo, newest(chat));
    if (this.get().open && this.#atEnd) this.#readUpTo = newest(chat);
    const unread = chat.messages.filter(({ number, own }) => !own && number > this.#readUpTo).length;
    const { messages, underWay } = this.get();
    if (messages === chat.messages && underWay === chat.underWay && unread === this.get().unread) return;
    this.update({ ...chat, unread });
  }
}

function newest({ messages }: ChatState): number {
  return messages.at(-1)?.number ?? 0;
}
