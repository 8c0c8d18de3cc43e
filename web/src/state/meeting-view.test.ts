import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure, type Meeting, type MeetingEvents } from '../client';
import { Emitter } from '../client/emitter';
import { MeetingView } from './meeting-view';

class FakeMeeting extends Emitter<MeetingEvents> {
  readonly selfId = 'me';
  readonly connection = 'connected';
  readonly participants = [
    { id: 'me', name: 'Anna', media: {} },
    { id: 'b', name: 'Ben', media: {} },
  ];
  say<E extends keyof MeetingEvents>(event: E, data: MeetingEvents[E]) {
    this.emit(event, data);
  }
}

describe('MeetingView', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('says for a moment who left, and that others do not get what could not be sent', async () => {
    const meeting = new FakeMeeting();
    const view = new MeetingView(meeting as unknown as Meeting);
    meeting.say('participantLeft', { id: 'b', name: 'Ben', media: {} });
    meeting.say('publishFailed', { source: 'mic', failure: new Failure('internal', '') });
    expect(view.get().notices.map(({ news }) => news)).toEqual([{ kind: 'left', name: 'Ben' }, { kind: 'micNotSent' }]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(view.get().notices).toEqual([]);
    view.close();
  });
});
