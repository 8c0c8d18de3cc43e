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

  it('says for a moment who left', async () => {
    const meeting = new FakeMeeting();
    const view = new MeetingView(meeting as unknown as Meeting);
    meeting.say('participantLeft', { id: 'b', name: 'Ben', media: {} });
    expect(view.get().notices.map(({ news }) => news)).toEqual([{ kind: 'left', name: 'Ben' }]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(view.get().notices).toEqual([]);
    view.close();
  });

  it('says that others do not get what could not be sent, until the room has it', async () => {
    const meeting = new FakeMeeting();
    const view = new MeetingView(meeting as unknown as Meeting);
    const media = (producerId: string) => ({ producerId, paused: false, track: undefined, unsupported: false });
    meeting.say('publishFailed', { source: 'mic', failure: new Failure('internal', '') });
    meeting.say('publishFailed', { source: 'camera', failure: new Failure('internal', '') });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(view.get().notSent).toEqual({ mic: 'failed', camera: 'failed' });

    view.tryingAgain();
    expect(view.get().notSent).toEqual({ mic: 'trying', camera: 'trying' });
    meeting.say('participants', [{ id: 'me', name: 'Anna', media: { mic: media('me-mic') } }]);
    meeting.say('publishFailed', { source: 'camera', failure: new Failure('internal', '') });
    expect(view.get().notSent).toEqual({ camera: 'failed' });

    view.tryingAgain();
    await vi.advanceTimersByTimeAsync(12_000);
    expect(view.get().notSent, 'what did not fail again succeeded').toEqual({});
    view.close();
  });
});
