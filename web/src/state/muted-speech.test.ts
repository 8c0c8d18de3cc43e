import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LocalMedia, LocalMediaState } from './local-media';
import { MutedSpeech } from './muted-speech';
import { Store } from './store';

describe('MutedSpeech', () => {
  beforeEach(() => vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  function microphone() {
    const copies: { enabled: boolean; stop: () => void }[] = [];
    const track = {
      readyState: 'live',
      clone: () => {
        const copy = { enabled: false, stop: vi.fn() };
        copies.push(copy);
        return copy;
      },
    } as unknown as MediaStreamTrack;
    const media = new Store({ mic: { on: true, track } } as LocalMediaState);
    const mute = (muted: boolean) => media.update({ mic: { ...media.get().mic, on: !muted } });
    let level = 0;
    const speech = new MutedSpeech(media as unknown as LocalMedia, () => ({ read: () => level, close: () => {} }));
    const hear = async (loudness: number, ms: number) => {
      level = loudness;
      await vi.advanceTimersByTimeAsync(ms);
    };
    return { speech, mute, hear, copies };
  }

  it('is told of who speaks while muted, for a moment, and not again soon', async () => {
    const { speech, mute, hear } = microphone();
    await hear(0.9, 3_000);
    expect(speech.get(), 'not muted').toBe(false);
    mute(true);
    await hear(0.9, 2_000);
    expect(speech.get()).toBe(true);
    await hear(0.9, 5_000);
    expect(speech.get()).toBe(false);
    await hear(0.9, 10_000);
    expect(speech.get()).toBe(false);
    await hear(0.9, 5_000);
    expect(speech.get()).toBe(true);
    mute(false);
    expect(speech.get(), 'it was understood').toBe(false);
  });

  it('takes neither keys nor a door for speech', async () => {
    const { speech, mute, hear } = microphone();
    mute(true);
    await hear(0.3, 5_000);
    for (let key = 0; key < 20; key++) {
      await hear(0.9, 100);
      await hear(0.1, 200);
    }
    await hear(1, 400);
    await hear(0, 1_000);
    expect(speech.get()).toBe(false);
  });

  it('listens to a copy, which ends with the mute', () => {
    const { speech, mute, copies } = microphone();
    mute(true);
    mute(true);
    expect(copies.map(({ enabled }) => enabled)).toEqual([true]);
    mute(false);
    expect(copies[0]?.stop).toHaveBeenCalled();
    mute(true);
    speech.close();
    expect(copies[1]?.stop).toHaveBeenCalled();
  });
});
