import { describe, expect, it, vi } from 'vitest';
import { CHAT_MESSAGES_MAX, CHAT_UNDER_WAY_MAX, Chat } from './chat';
import { Failure } from './failure';
import type { ChatMessage } from './protocol';

const message = (number: number, participantId: string, text = `${number}`): ChatMessage => ({
  number,
  participantId,
  name: participantId,
  text,
  timeMs: 1_000 * number,
});

/** A chat of `me`, and what was asked of the server. */
function chatOf(newest: ChatMessage[] = []) {
  const asked: { text: string; resolve: (data: unknown) => void; reject: (failure: Failure) => void }[] = [];
  const request = (text: string) => new Promise((resolve, reject) => asked.push({ text, resolve, reject }));
  const changed = vi.fn();
  const chat = new Chat(request, changed);
  chat.welcomed('me', newest);
  const shown = () => [
    ...chat.state.messages.map(({ number, text }) => `${number} ${text}`),
    ...chat.state.underWay.map(({ state, text }) => `${state} ${text}`),
  ];
  return { chat, asked, shown, changed };
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

describe('Chat', () => {
  it('has what the snapshot has and what comes after, each once, and knows which are its own', () => {
    const { chat, shown } = chatOf([message(1, 'ben', 'hi'), message(2, 'me', 'hello')]);
    chat.received(message(3, 'ben', 'how are you?'));
    chat.received(message(3, 'ben', 'how are you?'));
    expect(shown()).toEqual(['1 hi', '2 hello', '3 how are you?']);
    expect(chat.state.messages.map(({ own }) => own)).toEqual([false, true, false]);
  });

  it('keeps older messages over a resume, and takes from the snapshot what it covers', () => {
    const { chat, shown } = chatOf([message(1, 'ben'), message(2, 'ben')]);
    chat.welcomed('me', [message(2, 'ben'), message(3, 'ben')]);
    expect(shown()).toEqual(['1 1', '2 2', '3 3']);
    chat.welcomed('me', [message(9, 'ben')]);
    expect(shown(), 'some are missing, which the numbers tell').toEqual(['1 1', '2 2', '3 3', '9 9']);
  });

  it('forgets the messages of a room that ended and began again', () => {
    const { chat, shown } = chatOf([message(1, 'ben'), message(2, 'ben')]);
    chat.welcomed('me2', []);
    expect(shown()).toEqual([]);
    chat.received(message(1, 'cara', 'new'));
    chat.welcomed('me3', [{ ...message(1, 'dan', 'newer'), timeMs: 77 }, message(2, 'dan')]);
    expect(shown()).toEqual(['1 newer', '2 2']);
  });

  for (const first of ['answer', 'message'] as const) {
    it(`shows an own message once where the ${first} comes first, and sends one after the other`, async () => {
      const { chat, asked, shown } = chatOf();
      chat.send(' one \n');
      chat.send('two');
      expect(shown()).toEqual(['sending one', 'sending two']);
      expect(asked.map(({ text }) => text)).toEqual(['one']);
      if (first === 'message') {
        chat.received(message(1, 'me', 'one'));
        expect(shown()).toEqual(['1 one', 'sending two']);
        expect(asked).toHaveLength(1);
        asked[0]?.resolve({});
        await settle();
      } else {
        asked[0]?.resolve({});
        await settle();
        expect(shown()).toEqual(['sent one', 'sending two']);
        chat.received(message(1, 'me', 'one'));
      }
      expect(shown()).toEqual(['1 one', 'sending two']);
      expect(asked.map(({ text }) => text)).toEqual(['one', 'two']);
    });
  }

  it('takes the same text of others for theirs, and the same text twice for two messages', async () => {
    const { chat, asked, shown } = chatOf();
    chat.send('ok');
    chat.send('ok');
    chat.received(message(1, 'ben', 'ok'));
    expect(shown()).toEqual(['1 ok', 'sending ok', 'sending ok']);
    chat.received(message(2, 'me', 'ok'));
    expect(shown()).toEqual(['1 ok', '2 ok', 'sending ok']);
    asked[0]?.resolve({});
    await settle();
    chat.received(message(3, 'me', 'ok'));
    expect(shown()).toEqual(['1 ok', '2 ok', '3 ok']);
  });

  it('finds an own message in the snapshot of a resume', async () => {
    const { chat, asked, shown } = chatOf([message(1, 'ben')]);
    chat.send('hello');
    chat.welcomed('me', [message(1, 'ben'), message(2, 'me', 'hello')]);
    expect(shown()).toEqual(['1 1', '2 hello']);
    asked[0]?.resolve({});
    await settle();
    expect(shown()).toEqual(['1 1', '2 hello']);
  });

  it('says what was refused and why, sends it again as the newest, or forgets it', async () => {
    const { chat, asked, shown } = chatOf();
    chat.send('a');
    chat.send('b');
    asked[0]?.reject(new Failure('bad_request', 'too long'));
    await settle();
    expect(shown()).toEqual(['notSent a', 'sending b']);
    const [failed] = chat.state.underWay;
    expect(failed?.failure?.message).toBe('too long');
    chat.retry(failed?.key ?? 0);
    expect(shown()).toEqual(['sending b', 'sending a']);
    asked[1]?.resolve({});
    await settle();
    asked[2]?.reject(new Failure('internal', 'no'));
    await settle();
    expect(asked.map(({ text }) => text)).toEqual(['a', 'b', 'a']);
    for (const { key } of chat.state.underWay) chat.remove(key);
    expect(shown(), 'only what was not sent').toEqual(['sent b']);
  });

  it('neither loses nor doubles what was on its way when the session expired', async () => {
    const expired = new Failure('closed', 'the session expired');
    const arrived = chatOf([message(1, 'ben')]);
    arrived.chat.send('hello');
    arrived.asked[0]?.reject(expired);
    await settle();
    arrived.chat.welcomed('me2', [message(1, 'ben'), message(2, 'me', 'hello')]);
    expect(arrived.shown()).toEqual(['1 1', '2 hello']);
    expect(arrived.chat.state.messages.at(-1)?.own).toBe(true);
    expect(arrived.asked).toHaveLength(1);

    const lost = chatOf([message(1, 'ben')]);
    lost.chat.send('hello');
    lost.asked[0]?.reject(expired);
    await settle();
    expect(lost.asked).toHaveLength(1);
    lost.chat.welcomed('me2', [message(1, 'ben')]);
    expect(lost.shown()).toEqual(['1 1', 'sending hello']);
    expect(lost.asked.map(({ text }) => text)).toEqual(['hello', 'hello']);

    const unknown = chatOf([message(1, 'ben')]);
    unknown.chat.send('hello');
    unknown.asked[0]?.reject(expired);
    await settle();
    unknown.chat.welcomed('me2', [message(7, 'ben')]);
    expect(unknown.shown()).toEqual(['1 1', '7 7', 'notSent hello']);
  });

  it('takes nothing empty, and not more than it may hold', () => {
    const { chat, changed } = chatOf();
    changed.mockClear();
    expect(chat.send(' \n\u00a0')).toBe(false);
    expect(changed).not.toHaveBeenCalled();
    for (let i = 0; i < CHAT_UNDER_WAY_MAX; i += 1) expect(chat.send(`${i}`)).toBe(true);
    expect(chat.send('one more')).toBe(false);
    for (let number = 1; number <= CHAT_MESSAGES_MAX + 5; number += 1) chat.received(message(number, 'ben'));
    expect(chat.state.messages).toHaveLength(CHAT_MESSAGES_MAX);
    expect(chat.state.messages[0]?.number).toBe(6);
  });
});
