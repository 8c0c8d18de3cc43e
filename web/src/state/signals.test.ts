import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Meeting, MeetingEvents, Signal } from '../client';
import { Emitter } from '../client/emitter';
import { Signals } from './signals';

class FakeMeeting extends Emitter<MeetingEvents> {
  readonly selfId = 'me';
  readonly signal = vi.fn((_: Signal) => {});
  say<E extends keyof MeetingEvents>(event: E, data: MeetingEvents[E]) {
    this.emit(event, data);
  }
}

describe('Signals', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function meet() {
    const meeting = new FakeMeeting();
    return { meeting, signals: new Signals(meeting as unknown as Meeting) };
  }

  it('shows a reaction for a moment, one’s own too, and the newest of each', async () => {
    const { meeting, signals } = meet();
    meeting.say('signal', { who: 'a', kind: 'reaction', emoji: '👍' });
    await vi.advanceTimersByTimeAsync(3_000);
    meeting.say('signal', { who: 'a', kind: 'reaction', emoji: '🦊' });
    signals.react('🎉');
    expect(meeting.signal).toHaveBeenCalledWith({ kind: 'reaction', emoji: '🎉' });
    const shown = () => [...signals.get().reactions].map(([who, { emoji, name }]) => [who, emoji, name]);
    expect(shown()).toEqual([
      ['a', '🦊', undefined],
      ['me', '🎉', 'celebration'],
    ]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(shown()).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(shown()).toEqual([]);
  });

  it('shows no text as a reaction', () => {
    const { meeting, signals } = meet();
    for (const emoji of ['', 'vote!', '<b>', '1', '👍 Anna is fired', '👍👍'])
      meeting.say('signal', { who: 'a', kind: 'reaction', emoji });
    expect(signals.get().reactions.size).toBe(0);
  });

  it('says who types until their message is there, they leave or stop', async () => {
    const { meeting, signals } = meet();
    for (const who of ['a', 'b', 'c']) meeting.say('signal', { who, kind: 'typing' });
    const message = { number: 1, participantId: 'a', name: 'A', text: 'x', timeMs: 1, own: false };
    meeting.say('chat', { messages: [message], underWay: [] });
    meeting.say('participantLeft', { id: 'b', name: 'B', role: 'participant', hand: undefined, media: {} });
    expect([...signals.get().typing]).toEqual(['c']);
    await vi.advanceTimersByTimeAsync(4_000);
    meeting.say('signal', { who: 'c', kind: 'typing' });
    await vi.advanceTimersByTimeAsync(4_000);
    expect([...signals.get().typing]).toEqual(['c']);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(signals.get().typing.size).toBe(0);
  });

  it('says that one types now and then only', async () => {
    const { meeting, signals } = meet();
    for (let key = 0; key < 40; key++) {
      signals.types();
      await vi.advanceTimersByTimeAsync(100);
    }
    expect(meeting.signal).toHaveBeenCalledTimes(2);
  });
});
