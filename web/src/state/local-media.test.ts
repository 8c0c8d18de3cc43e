import { describe, expect, it, vi } from 'vitest';
import { isLive, LocalMedia, problemOf } from './local-media';

class FakeTrack extends EventTarget {
  readonly kind: string;
  enabled = true;
  readyState = 'live';
  constructor(kind: string) {
    super();
    this.kind = kind;
  }
  stop() {
    this.readyState = 'ended';
  }
}

function devices(answer: (wanted: MediaStreamConstraints) => void = () => {}) {
  const asked: MediaStreamConstraints[] = [];
  const getUserMedia = async (wanted: MediaStreamConstraints) => {
    asked.push(wanted);
    answer(wanted);
    const audio = wanted.audio ? [new FakeTrack('audio')] : [];
    const video = wanted.video ? [new FakeTrack('video')] : [];
    const stream = { getAudioTracks: () => audio, getVideoTracks: () => video, getTracks: () => [...audio, ...video] };
    return stream as unknown as MediaStream;
  };
  return { asked, getUserMedia };
}

function media(mediaDevices: { getUserMedia: typeof navigator.mediaDevices.getUserMedia } | undefined) {
  return new LocalMedia({ capture: { width: 1280, height: 720, frameRate: 30 }, deviceId: () => '', mediaDevices });
}

describe('LocalMedia', () => {
  it('asks once for both', async () => {
    const fake = devices();
    const local = media(fake);
    await local.start({ mic: true, camera: true });
    expect(fake.asked).toHaveLength(1);
    expect(local.get().mic).toMatchObject({ on: true, starting: false });
    expect(local.get().camera.track).toBeDefined();
  });

  it('opens the one that works when the other is missing, and says why', async () => {
    const fake = devices(({ video }) => {
      if (video) throw new DOMException('', 'NotFoundError');
    });
    const local = media(fake);
    await local.start({ mic: true, camera: true });
    expect(local.get().mic.track).toBeDefined();
    expect(local.get().camera).toMatchObject({ on: false, problem: 'missing', track: undefined });
  });

  it('asks for nothing that is open already', async () => {
    const fake = devices();
    const local = media(fake);
    await local.setOn('mic', true);
    const { track } = local.get().mic;
    await local.start({ mic: true, camera: true });
    await local.start({ mic: true, camera: true });
    expect(fake.asked.map(({ audio, video }) => [Boolean(audio), Boolean(video)])).toEqual([
      [true, false],
      [false, true],
    ]);
    expect(local.get().mic.track).toBe(track);
  });

  it('keeps a muted microphone open but silent, and closes a camera that is off', async () => {
    const local = media(devices());
    await local.start({ mic: true, camera: true });
    const { mic, camera } = local.get();
    await local.setOn('mic', false);
    await local.setOn('camera', false);
    expect(mic.track).toMatchObject({ enabled: false, readyState: 'live' });
    expect(camera.track?.readyState).toBe('ended');
    expect(local.get().camera.track).toBeUndefined();
    await local.setOn('mic', true);
    expect(local.get().mic.track).toBe(mic.track);
    expect(mic.track?.enabled).toBe(true);
  });

  it('throws away a camera that opens after it was switched off again', async () => {
    const local = media(devices());
    const opening = local.setOn('camera', true);
    await local.setOn('camera', false);
    await opening;
    expect(local.get().camera).toMatchObject({ on: false, track: undefined });
  });

  it('opens another device when the one in use is pulled out', async () => {
    const fake = devices();
    const local = media(fake);
    await local.setOn('camera', true);
    const first = local.get().camera.track;
    first?.dispatchEvent(new Event('ended'));
    await new Promise((resolve) => setTimeout(resolve));
    expect(fake.asked).toHaveLength(2);
    expect(local.get().camera.track).not.toBe(first);
  });

  it('says that a device was lost that no other replaces, until the person knows', async () => {
    let gone = false;
    const fake = devices(() => {
      if (gone) throw new DOMException('', 'NotFoundError');
    });
    const local = media(fake);
    await local.setOn('mic', true);
    gone = true;
    local.get().mic.track?.dispatchEvent(new Event('ended'));
    await new Promise((resolve) => setTimeout(resolve));
    expect(local.get().mic).toMatchObject({ on: false, problem: 'missing', lost: true });
    local.dismissLoss();
    expect(local.get().mic).toMatchObject({ problem: 'missing', lost: false });
    await local.setOn('camera', true);
    expect(local.get().camera, 'it never gave anything').toMatchObject({ problem: 'missing', lost: false });
  });

  it('gives nothing while the browser asks, which it says after a second', async () => {
    vi.useFakeTimers();
    let answer = (_: MediaStream) => {};
    const { getUserMedia } = devices();
    const local = media({ getUserMedia: () => new Promise((resolve) => (answer = resolve)) });
    const opening = local.setOn('mic', true);
    await vi.advanceTimersByTimeAsync(999);
    expect(local.get().mic).toMatchObject({ on: true, starting: true, asking: false });
    expect(isLive(local.get().mic)).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(local.get().mic.asking).toBe(true);
    answer(await getUserMedia({ audio: true }));
    await opening;
    expect(local.get().mic).toMatchObject({ starting: false, asking: false });
    expect(isLive(local.get().mic)).toBe(true);
    vi.useRealTimers();
  });

  it('has a reason for every refusal', async () => {
    const local = media(undefined);
    await local.setOn('mic', true);
    expect(local.get().mic.problem).toBe('insecure');
    expect(problemOf(new DOMException('Permission denied', 'NotAllowedError'))).toBe('denied');
    expect(problemOf(new DOMException('Permission denied by system', 'NotAllowedError'))).toBe('deniedBySystem');
    expect(problemOf(new DOMException('', 'NotReadableError'))).toBe('busy');
    expect(problemOf(new DOMException('', 'OverconstrainedError'))).toBe('missing');
    expect(problemOf('?')).toBe('unknown');
  });
});
