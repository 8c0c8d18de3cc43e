import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { JoinOptions, Meeting, Source } from '../client';
import { Emitter } from '../client/emitter';
import { Failure } from '../client/failure';
import type { MeetingEvents } from '../client/meeting';
import { LocalMedia } from './local-media';
import { PreferenceStore } from './preferences';
import { RoomSession } from './room-session';
import { ScreenShare } from './screen-share';

class FakeMeeting extends Emitter<MeetingEvents> {
  readonly sessionToken = 'token';
  readonly leave = vi.fn();
  readonly publish = vi.fn();
  readonly mute = vi.fn();
  readonly replaceTrack = vi.fn();
  readonly unpublish = vi.fn();
  readonly may = vi.fn((_: Source) => true);
  end(failure: Failure) {
    this.emit('ended', failure);
  }
  say<E extends keyof MeetingEvents>(event: E, data: MeetingEvents[E]) {
    this.emit(event, data);
  }
}

function session(join: (options: JoinOptions) => Promise<FakeMeeting>) {
  const nothing = { read: () => undefined, write: () => {}, remove: () => {} };
  const media = new LocalMedia({
    capture: { width: 1, height: 1, frameRate: 1 },
    deviceId: () => '',
    mediaDevices: undefined,
  });
  const screen = new ScreenShare({ getDisplayMedia: async () => display() });
  return new RoomSession('room', {
    join: join as unknown as () => Promise<Meeting>,
    preferences: new PreferenceStore(nothing),
    media,
    screen,
  });
}

function display(): MediaStream {
  const track = Object.assign(new EventTarget(), { stop: vi.fn(), getSettings: () => ({}) });
  const tracks = (kind: string) => (kind === 'video' ? [track] : []);
  const stream = {
    getTracks: () => [track],
    getVideoTracks: () => tracks('video'),
    getAudioTracks: () => tracks('audio'),
  };
  return stream as unknown as MediaStream;
}

describe('RoomSession', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  it('can join without any device', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    await room.open({ reloaded: false });
    await room.join(' Anna ');
    expect(room.get()).toEqual({ name: 'meeting', meeting });
    expect(room.preferences.get().name).toBe('Anna');
    expect(meeting.publish).not.toHaveBeenCalled();
  });

  it('leaves and comes back', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    await room.join('Anna');
    room.leave();
    expect(meeting.leave).toHaveBeenCalledOnce();
    expect(room.get()).toEqual({ name: 'left' });
    await room.rejoin();
    expect(room.get().name).toBe('meeting');
  });

  it('tries again by itself while the server cannot be reached', async () => {
    const meeting = new FakeMeeting();
    const join = vi.fn(async () => meeting);
    join.mockRejectedValueOnce(new Failure('unreachable', '', true));
    const room = session(join);
    const start = vi.spyOn(room.media, 'start');
    await room.join('Anna');
    expect(room.get()).toMatchObject({ name: 'ended', code: 'unreachable' });
    await vi.advanceTimersByTimeAsync(1_999);
    expect(room.get()).toMatchObject({ name: 'ended', code: 'unreachable', retryInSeconds: expect.any(Number) });
    await vi.advanceTimersByTimeAsync(2_001);
    expect(room.get().name).toBe('meeting');
    expect(start, 'a browser that asks first would ask at each attempt').not.toHaveBeenCalled();
  });

  it('tries every few seconds for three minutes, and then rarely', async () => {
    const join = vi.fn(async () => {
      throw new Failure('unreachable', '', true);
    });
    const room = session(join);
    await room.join('Anna');
    const attempts = async (ms: number) => {
      const before = join.mock.calls.length;
      await vi.advanceTimersByTimeAsync(ms);
      return join.mock.calls.length - before;
    };
    expect(await attempts(180_000)).toBeGreaterThanOrEqual(45);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(await attempts(60_000)).toBeLessThanOrEqual(4);
    room.close();
  });

  it('closes the devices of who waits long for the server', async () => {
    const join = vi.fn(async () => new FakeMeeting());
    join.mockRejectedValue(new Failure('draining', '', true));
    const room = session(join);
    const on = { on: true, starting: false, asking: false, track: undefined, problem: undefined, lost: false };
    room.media.update({ mic: on });
    await room.join('Anna');
    await vi.advanceTimersByTimeAsync(175_000);
    expect(room.media.get().mic.on).toBe(true);
    await vi.advanceTimersByTimeAsync(15_000);
    expect(room.media.get().mic.on, 'nobody is heard who does not know it').toBe(false);
    expect(room.get()).toMatchObject({ name: 'ended', turnedOff: true });
    await room.toggle('camera');
    expect(room.get()).toMatchObject({ name: 'ended', turnedOff: false });
    room.media.update({ mic: on });
    await vi.advanceTimersByTimeAsync(170_000);
    expect(room.media.get().mic.on, 'who is there has as long again').toBe(true);
    room.close();
  });

  it('can give up joining, and leaves what it gets into all the same', async () => {
    const late = new FakeMeeting();
    let arrive = (_: FakeMeeting) => {};
    const join = vi.fn(() => new Promise<FakeMeeting>((resolve) => (arrive = resolve)));
    const room = session(join);
    const joining = room.join('Anna');
    room.cancel();
    expect(room.get()).toEqual({ name: 'greenRoom' });
    const meeting = new FakeMeeting();
    join.mockResolvedValueOnce(meeting);
    await room.join('Anna');
    arrive(late);
    await joining;
    expect(late.leave).toHaveBeenCalledOnce();
    expect(room.get()).toEqual({ name: 'meeting', meeting });
  });

  it('does not try again by itself when it was taken over elsewhere', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    await room.join('Anna');
    meeting.end(new Failure('superseded', ''));
    expect(room.get()).toMatchObject({ name: 'ended', code: 'superseded', retryInSeconds: undefined });
  });

  it('leaves a meeting whose page was closed while it was being joined', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    const joining = room.join('Anna');
    room.close();
    await joining;
    expect(meeting.leave).toHaveBeenCalledOnce();
  });

  it('shares a screen until it ends, and in the next meeting again while the server was away', async () => {
    const meetings = [new FakeMeeting(), new FakeMeeting()];
    let joined = 0;
    const room = session(async () => meetings[joined++] as FakeMeeting);
    await room.join('Anna');
    await room.screen.start();
    const { track } = room.screen.get();
    expect(meetings[0]?.publish).toHaveBeenLastCalledWith('screen', track);
    meetings[0]?.end(new Failure('unreachable', '', true));
    await vi.advanceTimersByTimeAsync(4_000);
    expect(meetings[1]?.publish).toHaveBeenCalledWith('screen', track);
    room.screen.stop();
    expect(meetings[1]?.unpublish).toHaveBeenCalledWith('screen');
  });

  it('shares nothing any more after the meeting, nor what others do not get', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    await room.join('Anna');
    await room.screen.start();
    const { track } = room.screen.get();
    meeting.say('publishFailed', { source: 'screen', failure: new Failure('internal', '') });
    expect(track?.stop).toHaveBeenCalled();
    expect(room.screen.get().problem).toBe('notSent');
    await room.screen.start();
    room.leave();
    expect(room.screen.get().track).toBeUndefined();
  });

  it('turns off what a host stopped, and keeps it off after a reload', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    await room.join('Anna');
    await room.screen.start();
    const setOn = vi.spyOn(room.media, 'setOn');
    meeting.say('mutedByOther', { source: 'mic', by: 'b' });
    expect(setOn).toHaveBeenCalledWith('mic', false);
    expect(room.preferences.get().micOn).toBe(false);
    meeting.say('mutedByOther', { source: 'screen', by: 'b' });
    expect(room.screen.get().track).toBeUndefined();
  });

  it('turns nothing on that the hosts forbid, and says which', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    await room.join('Anna');
    meeting.may.mockImplementation((source) => source !== 'mic');
    const setOn = vi.spyOn(room.media, 'setOn');
    const told = vi.fn();
    room.notAllowed.subscribe(told);
    await room.toggle('mic');
    room.talk(true);
    expect(setOn).not.toHaveBeenCalled();
    expect(told).toHaveBeenCalledTimes(2);
    expect(room.notAllowed.get()).toEqual({ what: 'mic' });
    await room.toggle('camera');
    expect(setOn).toHaveBeenCalledWith('camera', true);
  });

  it('shares no screen any more once that is forbidden', async () => {
    const meeting = new FakeMeeting();
    const room = session(async () => meeting);
    await room.join('Anna');
    await room.screen.start();
    meeting.may.mockReturnValue(false);
    meeting.say('settings', { lobby: false, locked: false, mic: true, camera: true, screen: false, chat: true });
    expect(room.screen.get().track).toBeUndefined();
  });

  it('waits for a host to let one in, or until one does not want to any more', async () => {
    const meeting = new FakeMeeting();
    let letIn = () => {};
    let signal: AbortSignal | undefined;
    const room = session((options) => {
      signal = options.signal;
      options.onWaiting?.(true);
      return new Promise((resolve) => (letIn = () => resolve(meeting)));
    });
    const joined = room.join('Anna');
    expect(room.get()).toEqual({ name: 'waiting', connected: true });
    letIn();
    await joined;
    expect(room.get().name).toBe('meeting');
    room.leave();
    void room.rejoin();
    expect(room.get()).toEqual({ name: 'waiting', connected: true });
    room.cancel();
    expect([room.get().name, signal?.aborted]).toEqual(['greenRoom', true]);
  });
});
