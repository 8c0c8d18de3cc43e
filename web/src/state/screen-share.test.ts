import { describe, expect, it, vi } from 'vitest';
import { ScreenShare } from './screen-share';

class Track extends EventTarget {
  readyState = 'live';
  contentHint = '';
  readonly kind: string;
  readonly surface: string | undefined;
  constructor(kind: string, surface?: string) {
    super();
    this.kind = kind;
    this.surface = surface;
  }
  getSettings() {
    return { displaySurface: this.surface };
  }
  stop() {
    this.readyState = 'ended';
  }
  end() {
    this.stop();
    this.dispatchEvent(new Event('ended'));
  }
}

function sharing(...tracks: Track[]) {
  const stream = {
    getTracks: () => tracks,
    getVideoTracks: () => tracks.filter(({ kind }) => kind === 'video'),
    getAudioTracks: () => tracks.filter(({ kind }) => kind === 'audio'),
  };
  const getDisplayMedia = vi.fn(async () => stream as unknown as MediaStream);
  return { getDisplayMedia, screen: new ScreenShare({ getDisplayMedia }) };
}

const failing = (name: string, message = '') =>
  new ScreenShare({ getDisplayMedia: () => Promise.reject(new DOMException(message, name)) });

describe('ScreenShare', () => {
  it('gives the picture, with sharp text, and the sound', async () => {
    const [picture, sound] = [new Track('video', 'window'), new Track('audio')];
    const { screen } = sharing(picture, sound);
    await screen.start();
    expect(screen.get()).toMatchObject({ track: picture, audioTrack: sound, hint: 'detail', isMonitor: false });
    expect([picture.contentHint, sound.contentHint]).toEqual(['detail', 'music']);
    screen.setHint('motion');
    expect([picture.contentHint, screen.get().hint]).toEqual(['motion', 'motion']);
    screen.stop();
    expect([picture.readyState, sound.readyState, screen.get().track]).toEqual(['ended', 'ended', undefined]);
  });

  it('takes what does not say what it is for a whole monitor', async () => {
    const { screen } = sharing(new Track('video'));
    await screen.start();
    expect(screen.get().isMonitor).toBe(true);
  });

  it('ends with the window that is shared, and goes on without its sound', async () => {
    const [picture, sound] = [new Track('video', 'browser'), new Track('audio')];
    const { screen } = sharing(picture, sound);
    await screen.start();
    sound.end();
    expect(screen.get()).toMatchObject({ track: picture, audioTrack: undefined });
    picture.end();
    expect(screen.get().track).toBeUndefined();
  });

  it('asks once, however often somebody clicks', async () => {
    const { screen, getDisplayMedia } = sharing(new Track('video'));
    await Promise.all([screen.start(), screen.start()]);
    await screen.start();
    expect(getDisplayMedia).toHaveBeenCalledTimes(1);
  });

  it('throws away what is chosen after the meeting', async () => {
    const picture = new Track('video');
    const { screen } = sharing(picture);
    const started = screen.start();
    screen.stop();
    await started;
    expect([picture.readyState, screen.get().track, screen.get().choosing]).toEqual(['ended', undefined, false]);
  });

  it('says nothing to who thought better of it, and what to do to who could not', async () => {
    const problem = async (screen: ScreenShare) => {
      await screen.start();
      return screen.get().problem;
    };
    expect(await problem(failing('NotAllowedError', 'Permission denied by user'))).toBeUndefined();
    expect(await problem(failing('NotAllowedError', 'Permission denied by system'))).toBe('deniedBySystem');
    expect(await problem(failing('NotReadableError'))).toBe('busy');
    expect(await problem(failing('TypeError'))).toBe('unknown');
  });

  it('is not offered where there is nothing to share', () => {
    expect(new ScreenShare({}).isSupported).toBe(false);
    expect(new ScreenShare(undefined).isSupported).toBe(false);
  });
});
