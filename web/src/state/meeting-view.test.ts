import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Failure, type Meeting, type MeetingEvents, type Moderation, type Participant } from '../client';
import { Emitter } from '../client/emitter';
import { MeetingView } from './meeting-view';

const person = (id: string, name: string): Participant => ({
  id,
  name,
  role: 'participant',
  hand: undefined,
  media: {},
});

class FakeMeeting extends Emitter<MeetingEvents> {
  readonly selfId = 'me';
  readonly connection = 'connected';
  readonly participants = [person('me', 'Anna'), person('b', 'Ben'), person('c', 'Cara')];
  readonly settings = { lobby: false, locked: false, mic: true, camera: true, screen: true, chat: true };
  readonly waiting = [];
  readonly moderate = vi.fn(async (_: Moderation) => {});
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
    meeting.say('participantLeft', person('b', 'Ben'));
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
    meeting.say('participants', [{ ...person('me', 'Anna'), media: { mic: media('me-mic') } }]);
    meeting.say('publishFailed', { source: 'camera', failure: new Failure('internal', '') });
    expect(view.get().notSent).toEqual({ camera: 'failed' });

    view.tryingAgain();
    await vi.advanceTimersByTimeAsync(12_000);
    expect(view.get().notSent, 'what did not fail again succeeded').toEqual({});
    view.close();
  });

  it('says in one word who was removed, and of many that they were muted', () => {
    const meeting = new FakeMeeting();
    const view = new MeetingView(meeting as unknown as Meeting);
    meeting.say('participantLeft', person('c', 'Cara'));
    meeting.say('moderated', { kind: 'removed', name: 'Cara', by: 'b' });
    expect(view.get().notices.map(({ news }) => news)).toMatchObject([{ code: 'removed', who: 'Cara', by: 'Ben' }]);
    for (const who of ['me', 'c']) meeting.say('moderated', { kind: 'muted', who, source: 'mic', by: 'b' });
    meeting.say('moderated', { kind: 'muted', who: 'b', source: 'mic', by: 'b' });
    expect(view.get().notices.map(({ news }) => 'code' in news && news.code)).toEqual([
      'removed',
      'mutedYou',
      'mutedSeveral',
    ]);
    view.close();
  });

  it('says that the server did not do what a host asked, and why', async () => {
    const meeting = new FakeMeeting();
    const view = new MeetingView(meeting as unknown as Meeting);
    meeting.moderate.mockRejectedValueOnce(new Failure('forbidden', 'only the host may end the meeting'));
    view.moderate({ action: 'end' });
    await vi.advanceTimersByTimeAsync(0);
    const [notice] = view.get().notices;
    expect(notice?.news).toEqual({ kind: 'refused', code: 'forbidden' });
    view.close();
  });

  it('shows the screens in the order in which they were shared', () => {
    const meeting = new FakeMeeting();
    const view = new MeetingView(meeting as unknown as Meeting);
    const screen = (id: string) => ({
      screen: { producerId: `${id}-screen`, paused: false, track: undefined, unsupported: false },
    });
    const [me, ben, cara] = meeting.participants as [Participant, Participant, Participant];
    meeting.say('participants', [me, ben, { ...cara, media: screen('c') }]);
    meeting.say('participants', [me, { ...ben, media: screen('b') }, { ...cara, media: screen('c') }]);
    expect(view.get().screens).toEqual(['c-screen', 'b-screen']);
    expect(view.get().notices.map(({ news }) => news)).toEqual([
      { kind: 'shares', name: 'Cara' },
      { kind: 'shares', name: 'Ben' },
    ]);
    view.close();
  });

  it('says to a host who waits, once', () => {
    const meeting = new FakeMeeting();
    const view = new MeetingView(meeting as unknown as Meeting);
    const waiting = (name: string) => ({ id: name, name, removedBefore: false });
    meeting.say('waiting', [waiting('David')]);
    meeting.say('waiting', [waiting('David'), waiting('Eva')]);
    expect(view.get().waiting.map(({ name }) => name)).toEqual(['David', 'Eva']);
    expect(view.get().notices.map(({ news }) => news)).toEqual([
      { kind: 'waits', name: 'David' },
      { kind: 'waits', name: 'Eva' },
    ]);
    view.close();
  });
});
