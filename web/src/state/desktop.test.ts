import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Meeting } from '../client';
import { connectDesktop } from './desktop';
import type { DesktopMeeting, HyperionDesktop } from './desktop-api';
import { LocalMedia } from './local-media';
import { PreferenceStore } from './preferences';
import { RoomSession } from './room-session';

/** The desktop client's side: what it was told, and ways to ask for something. */
class Desktop implements HyperionDesktop {
  readonly version = '0.1.0';
  readonly told: DesktopMeeting[] = [];
  toggleMute: (() => void) | undefined;
  openRoom: ((room: string) => void) | undefined;

  setMeeting(meeting: DesktopMeeting): void {
    this.told.push(meeting);
  }
  onToggleMute(toggle: () => void): () => void {
    this.toggleMute = toggle;
    return () => {
      this.toggleMute = undefined;
    };
  }
  onOpenRoom(open: (room: string) => void): () => void {
    this.openRoom = open;
    return () => {
      this.openRoom = undefined;
    };
  }
}

class Track extends EventTarget {
  readonly kind = 'audio';
  readonly readyState = 'live';
  readonly muted = false;
  enabled = true;
  stop(): void {}
  getSettings() {
    return {};
  }
}

async function inMeeting(): Promise<{ session: RoomSession; leave: ReturnType<typeof vi.fn> }> {
  const leave = vi.fn();
  const nothing = { on() {}, publish() {}, unpublish() {}, mute() {}, replaceTrack() {} };
  const meeting = { ...nothing, leave, may: () => true };
  const track = new Track();
  const stream = { getTracks: () => [track], getAudioTracks: () => [track], getVideoTracks: () => [] };
  const session = new RoomSession('daily', {
    join: async () => meeting as unknown as Meeting,
    preferences: new PreferenceStore({ read: () => undefined, write: () => {}, remove: () => {} }),
    media: new LocalMedia({
      capture: { width: 1, height: 1, frameRate: 1 },
      deviceId: () => '',
      mediaDevices: { getUserMedia: async () => stream as unknown as MediaStream },
    }),
  });
  await session.media.setOn('mic', true);
  await session.join('Anna');
  return { session, leave };
}

describe('connectDesktop', () => {
  afterEach(() => vi.unstubAllGlobals());

  it('has no effect in a browser', async () => {
    const { session } = await inMeeting();
    const set = vi.spyOn(session.media, 'subscribe');
    connectDesktop(session)();
    expect(set).not.toHaveBeenCalled();
  });

  it('finds the desktop client that shows the page', async () => {
    const desktop = new Desktop();
    vi.stubGlobal('hyperionDesktop', desktop);
    connectDesktop((await inMeeting()).session);
    expect(desktop.told).toEqual([{ inMeeting: true, micOn: true, room: 'daily' }]);
  });

  it('mutes and unmutes from outside, and tells what the microphone does', async () => {
    const desktop = new Desktop();
    const { session } = await inMeeting();
    connectDesktop(session, desktop);
    desktop.toggleMute?.();
    await vi.waitFor(() => expect(desktop.told.at(-1)).toEqual({ inMeeting: true, micOn: false, room: 'daily' }));
    expect(session.media.get().mic.on).toBe(false);
    desktop.toggleMute?.();
    await vi.waitFor(() => expect(desktop.told.at(-1)?.micOn).toBe(true));
  });

  it('leaves for another room of the server', async () => {
    const desktop = new Desktop();
    const { session, leave } = await inMeeting();
    const go = vi.fn();
    connectDesktop(session, desktop, go);
    desktop.openRoom?.('weekly');
    expect(leave).toHaveBeenCalledOnce();
    expect(go).toHaveBeenCalledExactlyOnceWith('/r/weekly');
  });

  it('ends with the meeting', async () => {
    const desktop = new Desktop();
    const { session } = await inMeeting();
    connectDesktop(session, desktop)();
    expect(desktop.told.at(-1)).toEqual({ inMeeting: false, micOn: false, room: 'daily' });
    expect(desktop.toggleMute).toBeUndefined();
    expect(desktop.openRoom).toBeUndefined();
    await session.toggle('mic');
    expect(desktop.told.at(-1)?.inMeeting).toBe(false);
  });
});
