import { describe, expect, it } from 'vitest';
import { captureSize } from './capture';
import { PreferenceStore } from './preferences';
import { forgetMeeting, recentMeetings, rememberMeeting } from './recent';
import { shelf } from './storage';

function memory(entries: Record<string, string> = {}) {
  const map = new Map(Object.entries(entries));
  return shelf(
    () =>
      ({
        getItem: (key: string) => map.get(key) ?? null,
        setItem: (key: string, value: string) => void map.set(key, value),
        removeItem: (key: string) => void map.delete(key),
      }) as unknown as Storage,
  );
}

const forbidden = shelf(() => {
  throw new DOMException('no', 'SecurityError');
});

describe('what a browser remembers', () => {
  it('comes back', () => {
    const storage = memory();
    new PreferenceStore(storage).update({ name: 'Anna', micOn: false });
    expect(new PreferenceStore(storage).get()).toMatchObject({ name: 'Anna', micOn: false, cameraOn: true });
  });

  it('is left out where it has the wrong shape', () => {
    const storage = memory({ 'hyperion.preferences': '{"name": 7, "micOn": false, "evil": "x"}' });
    const preferences = new PreferenceStore(storage).get();
    expect(preferences).toMatchObject({ name: '', micOn: false });
    expect(preferences).not.toHaveProperty('evil');
    expect(new PreferenceStore(memory({ 'hyperion.preferences': '{{' })).get().name).toBe('');
  });

  it('is not needed', () => {
    const preferences = new PreferenceStore(forbidden);
    preferences.update({ name: 'Anna' });
    expect(preferences.get().name).toBe('Anna');
    rememberMeeting('daily', 1, forbidden);
    expect(recentMeetings(forbidden)).toEqual([]);
  });

  it('lists the last five meetings once each, the newest first', () => {
    const storage = memory();
    ['a', 'b', 'c', 'a', 'd', 'e', 'f'].forEach((room, at) => {
      rememberMeeting(room, at, storage);
    });
    expect(recentMeetings(storage).map(({ room }) => room)).toEqual(['f', 'e', 'd', 'a', 'c']);
    forgetMeeting('d', storage);
    expect(recentMeetings(storage).map(({ room }) => room)).toEqual(['f', 'e', 'a', 'c']);
  });
});

describe('captureSize', () => {
  it('reads the page address and falls back to 720p', () => {
    expect(captureSize('?capture=320x180@15')).toEqual({ width: 320, height: 180, frameRate: 15 });
    expect(captureSize('?capture=big')).toEqual({ width: 1280, height: 720, frameRate: 30 });
    expect(captureSize('')).toEqual({ width: 1280, height: 720, frameRate: 30 });
  });
});
