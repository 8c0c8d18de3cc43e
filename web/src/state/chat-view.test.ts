import { describe, expect, it, vi } from 'vitest';
import type { ChatState, Meeting, MeetingEvents, Message } from '../client';
import { Emitter } from '../client/emitter';
import { groupMessages } from './chat-groups';
import { ChatView } from './chat-view';

const message = (number: number, who: string, timeMs = number): Message => ({
  number,
  participantId: who,
  name: who,
  text: `${number}`,
  timeMs,
  own: who === 'me',
});

class FakeMeeting extends Emitter<MeetingEvents> {
  chat: ChatState = { messages: [message(1, 'ben')], underWay: [] };
  readonly sendChat = vi.fn((text: string) => text.trim() !== '');
  says(added: Message) {
    this.chat = { ...this.chat, messages: [...this.chat.messages, added] };
    this.emit('chat', this.chat);
  }
}

function chatView() {
  const meeting = new FakeMeeting();
  return { meeting, view: new ChatView(meeting as unknown as Meeting) };
}

describe('ChatView', () => {
  it('counts what others wrote since one came, until it is on the screen', () => {
    const { meeting, view } = chatView();
    expect(view.get().unread).toBe(0);
    meeting.says(message(2, 'ben'));
    meeting.says(message(3, 'me'));
    meeting.says(message(4, 'ben'));
    expect(view.get().unread).toBe(2);
    view.toggle();
    expect(view.get().unread).toBe(0);
    view.scrolled(false);
    meeting.says(message(5, 'ben'));
    expect(view.get().unread, 'further down').toBe(1);
    view.scrolled(true);
    expect(view.get().unread).toBe(0);
    view.toggle();
    meeting.says(message(6, 'ben'));
    expect(view.get()).toMatchObject({ open: false, unread: 1 });
    view.close();
  });

  it('keeps what is being written until it is taken', () => {
    const { meeting, view } = chatView();
    view.write('  ');
    expect(view.send()).toBe(false);
    view.write('é'.repeat(2_049));
    expect(view.send(), 'too long').toBe(false);
    expect(meeting.sendChat).toHaveBeenCalledTimes(1);
    view.write('hello');
    view.toggle();
    view.toggle();
    expect(view.get().draft).toBe('hello');
    expect(view.send()).toBe(true);
    expect(view.get().draft).toBe('');
  });
});

describe('groupMessages', () => {
  it('puts together what one person wrote within a few minutes', () => {
    const late = 6 * 60_000;
    const all = [message(1, 'ben'), message(2, 'ben'), message(3, 'me'), message(4, 'ben'), message(5, 'ben', late)];
    expect(groupMessages(all).map(({ messages }) => messages.map(({ number }) => number))).toEqual([
      [1, 2],
      [3],
      [4],
      [5],
    ]);
  });

  it('tells where messages are missing', () => {
    const groups = groupMessages([message(7, 'ben'), message(8, 'ben'), message(12, 'ben')]);
    expect(groups.map(({ afterGap, messages }) => [afterGap, messages.length])).toEqual([
      [false, 2],
      [true, 1],
    ]);
  });
});
