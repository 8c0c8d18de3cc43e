import { Store } from './store';

/** What a shared screen is to be good at: sharp text, or fluent motion. */
export type ScreenHint = 'detail' | 'motion';

/** Why nothing is shared although somebody wanted to. */
export type ScreenProblem = 'deniedBySystem' | 'busy' | 'notSent' | 'unknown';

export interface ScreenShareState {
  /** The browser asks what to share. */
  choosing: boolean;
  track: MediaStreamTrack | undefined;
  /** What is heard of it, where the browser offers that and the person took it. */
  audioTrack: MediaStreamTrack | undefined;
  hint: ScreenHint;
  /** A whole monitor, on which this page may be seen itself. */
  isMonitor: boolean;
  problem: ScreenProblem | undefined;
}

type Display = Pick<MediaDevices, 'getDisplayMedia'>;

/** Newer than the types that TypeScript has. */
interface DisplayOptions extends DisplayMediaStreamOptions {
  systemAudio: 'include';
  surfaceSwitching: 'include';
  selfBrowserSurface: 'exclude';
}

const OFF: ScreenShareState = {
  choosing: false,
  track: undefined,
  audioTrack: undefined,
  hint: 'detail',
  isMonitor: false,
  problem: undefined,
};

/** Larger ones cost their sender more than they show. */
const OPTIONS: DisplayOptions = {
  video: { width: { max: 1920 }, height: { max: 1200 }, frameRate: { max: 30 } },
  // What is heard of a screen is no speech in a room.
  audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
  systemAudio: 'include',
  surfaceSwitching: 'include',
  selfBrowserSurface: 'exclude',
};

/** One's own screen, window or tab, while it is shared. */
export class ScreenShare extends Store<ScreenShareState> {
  readonly #display: Display | undefined;
  /** Counts what was asked for, so that an answer that comes too late is thrown away. */
  #asked = 0;

  constructor(display: Partial<Display> | undefined = globalThis.navigator?.mediaDevices) {
    super(OFF);
    // Phones have no screens to share.
    this.#display = display?.getDisplayMedia ? (display as Display) : undefined;
  }

  get isSupported(): boolean {
    return this.#display !== undefined;
  }

  /** Has the person choose what to share. To be called in the event of a click. */
  async start(): Promise<void> {
    if (!this.#display || this.get().choosing || this.get().track) return;
    this.#asked += 1;
    const asked = this.#asked;
    this.set({ ...OFF, choosing: true });
    try {
      const stream = await this.#display.getDisplayMedia(OPTIONS);
      this.#chosen(stream, asked);
    } catch (thrown) {
      if (this.#asked === asked) this.set({ ...OFF, problem: problemOf(thrown) });
    }
  }

  stop(): void {
    this.#asked += 1;
    const { track, audioTrack } = this.get();
    track?.stop();
    audioTrack?.stop();
    this.set(OFF);
  }

  setHint(hint: ScreenHint): void {
    const { track } = this.get();
    if (!track) return;
    track.contentHint = hint;
    this.update({ hint });
  }

  /** Others do not get it. */
  notSent(): void {
    this.stop();
    this.update({ problem: 'notSent' });
  }

  dismissProblem(): void {
    this.update({ problem: undefined });
  }

  #chosen(stream: MediaStream, asked: number): void {
    const [track] = stream.getVideoTracks();
    const [audioTrack] = stream.getAudioTracks();
    if (!track || this.#asked !== asked) {
      for (const each of stream.getTracks()) each.stop();
      return;
    }
    track.contentHint = 'detail';
    if (audioTrack) audioTrack.contentHint = 'music';
    const surface = (track.getSettings() as { displaySurface?: string }).displaySurface;
    this.set({ ...OFF, track, audioTrack, isMonitor: surface !== 'window' && surface !== 'browser' });
    // By the browser's own button, or because the window that is shared was closed.
    track.addEventListener('ended', () => this.get().track === track && this.stop());
    audioTrack?.addEventListener('ended', () => {
      if (this.get().audioTrack === audioTrack) this.update({ audioTrack: undefined });
    });
  }
}

/** Nothing for who thought better of it. */
function problemOf(thrown: unknown): ScreenProblem | undefined {
  const { name = '', message = '' } = thrown as Partial<Error>;
  switch (name) {
    case 'NotAllowedError':
    case 'AbortError':
      return /system/i.test(message) ? 'deniedBySystem' : undefined;
    case 'NotReadableError':
      return 'busy';
    default:
      return 'unknown';
  }
}
