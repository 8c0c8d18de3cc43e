import type { CaptureSize } from './capture';
import type { Processing } from './preferences';
import { Store } from './store';

export type LocalKind = 'mic' | 'camera';

/** Why a device gives nothing: each has a sentence that says what to do. */
export type Problem = 'denied' | 'deniedBySystem' | 'missing' | 'busy' | 'insecure' | 'unknown';

export interface LocalDevice {
  /** What the person wants. */
  on: boolean;
  starting: boolean;
  /** It is starting for so long that the browser's question is likely to wait for an answer. */
  asking: boolean;
  /** A muted microphone keeps its track, disabled; a camera that is off has none, so that its light is off. */
  track: MediaStreamTrack | undefined;
  problem: Problem | undefined;
  /** It gave something until it got the problem. */
  lost: boolean;
}

export type LocalMediaState = Record<LocalKind, LocalDevice>;

export interface LocalMediaOptions {
  capture: CaptureSize;
  /** The device to use, empty for the browser's default. */
  deviceId(kind: LocalKind): string;
  /** What is done to the sound; everything by default. */
  processing?(): Record<Processing, boolean>;
  mediaDevices?: Pick<MediaDevices, 'getUserMedia'> | undefined;
  /** Whether the browser has to ask for the device; where that cannot be told, a browser that takes long asks. */
  permission?(kind: LocalKind): Promise<PermissionState>;
}

const OFF: LocalDevice = {
  on: false,
  starting: false,
  asking: false,
  track: undefined,
  problem: undefined,
  lost: false,
};
const ALL: Record<Processing, boolean> = { noiseSuppression: true, echoCancellation: true, autoGainControl: true };
/** A device that may be used starts sooner as a rule. */
const ASKING_MS = 1_000;

/** One's own microphone and camera. */
export class LocalMedia extends Store<LocalMediaState> {
  readonly #options: LocalMediaOptions;
  /** Counts what was asked for, so that an answer that comes too late is thrown away. */
  readonly #asked: Record<LocalKind, number> = { mic: 0, camera: 0 };

  constructor(options: LocalMediaOptions) {
    super({ mic: OFF, camera: OFF });
    this.#options = options;
  }

  /** Opens what is wanted and not open yet, with one question of the browser where it can be one. */
  async start(wanted: Record<LocalKind, boolean>): Promise<void> {
    const kinds = (['mic', 'camera'] as const).filter((kind) => wanted[kind] && !isLive(this.get()[kind]));
    if (kinds.length < 2) {
      await Promise.all(kinds.map((kind) => this.setOn(kind, true)));
      return;
    }
    const numbers = kinds.map((kind) => this.#begin(kind));
    try {
      const stream = await this.#open(kinds);
      kinds.forEach((kind, index) => {
        const [track] = kind === 'mic' ? stream.getAudioTracks() : stream.getVideoTracks();
        this.#opened(kind, numbers[index], track);
      });
    } catch {
      // One of the two is at fault; asked for alone each says its own reason.
      await Promise.all(kinds.filter((kind) => this.get()[kind].on).map((kind) => this.#reopen(kind)));
    }
  }

  async setOn(kind: LocalKind, on: boolean): Promise<void> {
    const { track } = this.get()[kind];
    if (!on) {
      this.#asked[kind] += 1;
      if (kind === 'mic' && track) {
        track.enabled = false;
        this.#change(kind, { ...OFF, track });
      } else {
        track?.stop();
        this.#change(kind, OFF);
      }
    } else if (track?.readyState === 'live') {
      track.enabled = true;
      this.#change(kind, { on: true });
    } else {
      await this.#reopen(kind);
    }
  }

  /** Uses the device that is chosen now. */
  async deviceChanged(kind: LocalKind): Promise<void> {
    const { on, track } = this.get()[kind];
    if (on) {
      await this.#reopen(kind);
    } else if (track) {
      track.stop();
      this.#change(kind, OFF);
    }
  }

  /** Closes both devices. */
  stop(): void {
    for (const kind of ['mic', 'camera'] as const) {
      this.#asked[kind] += 1;
      this.get()[kind].track?.stop();
      this.#change(kind, OFF);
    }
  }

  /** The person knows that a device was lost. */
  dismissLoss(): void {
    for (const kind of ['mic', 'camera'] as const) this.#change(kind, { lost: false });
  }

  async #reopen(kind: LocalKind, lost = false): Promise<void> {
    const number = this.#begin(kind);
    try {
      const stream = await this.#open([kind]);
      this.#opened(kind, number, stream.getTracks()[0]);
    } catch (thrown) {
      if (this.#asked[kind] !== number) return;
      this.get()[kind].track?.stop();
      this.#change(kind, { ...OFF, problem: problemOf(thrown), lost });
    }
  }

  #begin(kind: LocalKind): number {
    this.#asked[kind] += 1;
    const number = this.#asked[kind];
    this.#change(kind, { on: true, starting: true, asking: false, problem: undefined, lost: false });
    setTimeout(() => this.#askingNow(kind, number), ASKING_MS);
    return number;
  }

  async #askingNow(kind: LocalKind, number: number): Promise<void> {
    const waits = () => this.#asked[kind] === number && this.get()[kind].starting;
    if (!waits()) return;
    const permission = await this.#options.permission?.(kind).catch(() => undefined);
    if (permission !== 'granted' && waits()) this.#change(kind, { asking: true });
  }

  #opened(kind: LocalKind, number: number | undefined, track: MediaStreamTrack | undefined): void {
    if (!track || this.#asked[kind] !== number) {
      track?.stop();
      return;
    }
    this.get()[kind].track?.stop();
    this.#change(kind, { ...OFF, on: true, track });
    track.addEventListener('ended', () => {
      // Pulled out, or the permission was taken away. Another device may do.
      if (this.get()[kind].track !== track) return;
      if (this.get()[kind].on) void this.#reopen(kind, true);
      else this.#change(kind, OFF);
    });
  }

  #open(kinds: readonly LocalKind[]): Promise<MediaStream> {
    const mediaDevices = this.#options.mediaDevices;
    if (!mediaDevices) return Promise.reject(new DOMException('no mediaDevices', 'InsecureContext'));
    const { width, height, frameRate } = this.#options.capture;
    const device = (kind: LocalKind) => {
      const deviceId = this.#options.deviceId(kind);
      return deviceId === '' ? {} : { deviceId: { ideal: deviceId } };
    };
    return mediaDevices.getUserMedia({
      ...(kinds.includes('mic') && {
        audio: { ...device('mic'), ...(this.#options.processing?.() ?? ALL) },
      }),
      ...(kinds.includes('camera') && {
        video: {
          ...device('camera'),
          width: { ideal: width },
          height: { ideal: height },
          frameRate: { ideal: frameRate, max: frameRate },
        },
      }),
    });
  }

  #change(kind: LocalKind, change: Partial<LocalDevice>): void {
    this.update({ [kind]: { ...this.get()[kind], ...change } });
  }
}

/** Whether it gives picture or sound now. */
export function isLive({ on, track }: LocalDevice): boolean {
  return on && track?.readyState === 'live';
}

export function problemOf(thrown: unknown): Problem {
  const { name = '', message = '' } = thrown as Partial<Error>;
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
    case 'PermissionDeniedError':
      return /system/i.test(message) ? 'deniedBySystem' : 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    case 'InsecureContext':
      return 'insecure';
    default:
      return 'unknown';
  }
}
