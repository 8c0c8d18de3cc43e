import {
  Failure,
  type FailureCode,
  type JoinOptions,
  joinMeeting,
  type Meeting,
  type ProducerId,
  type Source,
  type View,
} from '../client';
import { captureSize } from './capture';
import { DeviceList } from './devices';
import { type LocalKind, LocalMedia } from './local-media';
import { cleanName, truncateName } from './names';
import { PreferenceStore, type Processing } from './preferences';
import { rememberMeeting } from './recent';
import { ScreenShare } from './screen-share';
import { Store } from './store';
import { forgetTabSession, keepTabSession, tabSession } from './tab-session';

export type Phase =
  | { name: 'greenRoom' }
  /** `again` after a reload and from the page of who left: there is nothing to ask any more. */
  | { name: 'joining'; again: boolean }
  /** Until a host lets one in. */
  | { name: 'waiting'; connected: boolean }
  | { name: 'meeting'; meeting: Meeting }
  | { name: 'left' }
  /**
   * Refused, or ended by the server. `retryInSeconds` counts down to 0, which is
   * while it tries, where trying again may help by itself. `turnedOff` says that nobody saw or heard for so long
   * that the devices were closed.
   */
  | { name: 'ended'; code: FailureCode; retryInSeconds: number | undefined; turnedOff: boolean };

/** Whether somebody waits on the page for being let in, with the devices as they are. */
export function isWaiting(phase: Phase): boolean {
  return phase.name === 'ended' && phase.retryInSeconds !== undefined;
}

export type DeviceKind = LocalKind | 'speaker';

export type JoinMeeting = (options: JoinOptions) => Promise<Meeting>;

export const NAME_BYTES_MAX = 128;
/** What a server stands on is back within minutes; what is not after three may be away for long. */
const RETRY_OFTEN_MS = 180_000;
const RETRY_MS_MAX = { soon: 4_000, later: 30_000 };
const PASSING: FailureCode[] = [
  'unreachable',
  'timeout',
  'draining',
  'server_full',
  'log_unavailable',
  'rate_limited',
  'internal',
];

async function permission(kind: LocalKind): Promise<PermissionState> {
  const name = kind === 'mic' ? 'microphone' : 'camera';
  return (await navigator.permissions.query({ name: name as PermissionName })).state;
}

/** A room's page from the green room to the end: one's devices, and the meeting they are sent to. */
export class RoomSession extends Store<Phase> {
  readonly room: string;
  readonly preferences: PreferenceStore;
  readonly devices: DeviceList;
  readonly media: LocalMedia;
  readonly screen: ScreenShare;
  /** What the hosts did not let one turn on, each time it was tried. */
  readonly notAllowed = new Store<{ what: Source } | undefined>(undefined);
  readonly #join: JoinMeeting;
  #failingSince: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the attempts to join; the running one has this number, where one runs. */
  #attempt = 0;
  #joining = false;
  /** Ends to wait for being let in. */
  #giveUp: AbortController | undefined;
  #closed = false;

  constructor(
    room: string,
    {
      join = joinMeeting,
      preferences = new PreferenceStore(),
      devices = new DeviceList(),
      media = new LocalMedia({
        capture: captureSize(globalThis.location?.search ?? ''),
        deviceId: (kind) => preferences.get()[kind],
        processing: () => {
          const { noiseSuppression, echoCancellation, autoGainControl } = preferences.get();
          return { noiseSuppression, echoCancellation, autoGainControl };
        },
        mediaDevices: globalThis.navigator?.mediaDevices,
        permission,
      }),
      screen = new ScreenShare(),
    }: {
      join?: JoinMeeting;
      preferences?: PreferenceStore;
      devices?: DeviceList;
      media?: LocalMedia;
      screen?: ScreenShare;
    } = {},
  ) {
    super({ name: 'greenRoom' });
    this.room = room;
    this.preferences = preferences;
    this.devices = devices;
    this.media = media;
    this.screen = screen;
    this.#join = join;
    media.subscribe(() => this.#sendMedia());
    screen.subscribe(() => this.#sendScreen());
  }

  /** Opens the devices; after a reload in the middle of a meeting goes straight back into it. */
  async open({ reloaded }: { reloaded: boolean }): Promise<void> {
    const { micOn, cameraOn, name } = this.preferences.get();
    const opened = this.media.start({ mic: micOn, camera: cameraOn });
    if (reloaded && tabSession(this.room) && name !== '') void this.join(name, true);
    await opened;
    await this.devices.refresh();
  }

  async join(name: string, again = false): Promise<void> {
    const before = this.get();
    if (this.#closed || this.#joining || before.name === 'meeting') return;
    this.#joining = true;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const cleaned = truncateName(cleanName(name), NAME_BYTES_MAX);
    this.preferences.update({ name: cleaned });
    this.#stopRetrying();
    this.set(before.name === 'ended' ? { ...before, retryInSeconds: 0 } : { name: 'joining', again });
    const giveUp = new AbortController();
    this.#giveUp = giveUp;
    try {
      const resumeToken = tabSession(this.room)?.token;
      const { videoCodec } = this.preferences.get();
      const onWaiting = (connected: boolean) => {
        if (this.#attempt === attempt) this.set({ name: 'waiting', connected });
      };
      const { signal } = giveUp;
      const options = { room: this.room, name: cleaned, resumeToken, videoCodec, onWaiting, signal };
      const meeting = await this.#join(options);
      if (this.#closed || this.#attempt !== attempt) {
        meeting.leave();
        return;
      }
      this.#joining = false;
      this.#joined(meeting);
    } catch (thrown) {
      if (this.#attempt !== attempt) return;
      this.#joining = false;
      this.#ended(Failure.from(thrown).code);
    }
  }

  /** Gives up the attempt to join that is running. */
  cancel(): void {
    if (!this.#joining) return;
    this.#attempt += 1;
    this.#joining = false;
    this.#giveUp?.abort();
    // Another attempt is somebody new: as the same participant the two would push each other out.
    forgetTabSession();
    this.set({ name: 'greenRoom' });
  }

  /** From an end page back in, with the devices as they were. */
  async rejoin(): Promise<void> {
    this.#isHere();
    const { micOn, cameraOn, name } = this.preferences.get();
    void this.media.start({ mic: micOn, camera: cameraOn });
    await this.join(name, true);
  }

  leave(): void {
    const phase = this.get();
    forgetTabSession();
    this.#stopRetrying();
    this.#stopSending();
    this.set({ name: 'left' });
    if (phase.name === 'meeting') phase.meeting.leave();
  }

  /** Resolves when the device is on or off, or has a problem. */
  async toggle(kind: LocalKind): Promise<void> {
    const on = !this.media.get()[kind].on;
    this.#isHere();
    if (on && !this.#may(kind)) return;
    this.preferences.update(kind === 'mic' ? { micOn: on } : { cameraOn: on });
    await this.media.setOn(kind, on);
    void this.devices.refresh();
  }

  /** Speaks while it is held, or no more. */
  talk(on: boolean): void {
    if (!on || this.#may('mic')) void this.media.setOn('mic', on);
  }

  /** Shares one's screen, or does not any more. */
  shareScreen(on: boolean): void {
    if (!on) this.screen.stop();
    else if (this.#may('screen')) void this.screen.start();
  }

  /** Tries again to send what could not be sent. */
  sendAgain(): void {
    this.#sendMedia();
    this.#sendScreen();
  }

  /** Tries again to open what has a problem. */
  retryDevices(): void {
    const { mic, camera } = this.media.get();
    void this.media
      .start({ mic: mic.problem !== undefined, camera: camera.problem !== undefined })
      .then(this.devices.refresh);
  }

  choose(kind: DeviceKind, id: string): void {
    this.preferences.update({ [kind]: id });
    if (kind !== 'speaker') void this.media.deviceChanged(kind);
  }

  /** Switches something that the browser does to the sound of the microphone. */
  process(kind: Processing, on: boolean): void {
    this.preferences.update({ [kind]: on });
    void this.media.deviceChanged('mic');
  }

  /** How large a picture is shown, or that it is not. */
  view(producerId: ProducerId, view: View): void {
    const phase = this.get();
    if (phase.name === 'meeting') phase.meeting.view(producerId, view);
  }

  /** The page is left for another. */
  close(): void {
    this.#closed = true;
    this.#giveUp?.abort();
    this.#stopRetrying();
    const phase = this.get();
    if (phase.name === 'meeting') {
      forgetTabSession();
      phase.meeting.leave();
    }
    this.#stopSending();
    this.devices.close();
  }

  #joined(meeting: Meeting): void {
    this.#failingSince = undefined;
    const keep = (token: string | undefined) => token && keepTabSession({ room: this.room, token });
    keep(meeting.sessionToken);
    meeting.on('sessionToken', keep);
    meeting.on('ended', ({ code }) => {
      if (this.get().name === 'meeting') this.#ended(code);
    });
    meeting.on('publishFailed', ({ source, failure }) => {
      if (failure.code === 'forbidden') this.#turnedOffByOther(source);
      else if (source === 'screen') this.screen.notSent();
    });
    meeting.on('mutedByOther', ({ source }) => this.#turnedOffByOther(source));
    // Rights change with one's role and with what the hosts decide.
    for (const event of ['participants', 'settings'] as const) meeting.on(event, () => this.#keepToRights(meeting));
    rememberMeeting(this.room, Date.now());
    this.set({ name: 'meeting', meeting });
    this.#keepToRights(meeting);
    this.#sendMedia();
    this.#sendScreen();
  }

  #ended(code: FailureCode): void {
    if (this.#closed) return;
    if (!PASSING.includes(code)) {
      forgetTabSession();
      this.#stopSending();
      this.set({ name: 'ended', code, retryInSeconds: undefined, turnedOff: false });
      return;
    }
    this.#failingSince ??= Date.now();
    const often = Date.now() - this.#failingSince < RETRY_OFTEN_MS;
    if (!often) this.#turnOff();
    // The server itself is there, and has little to do meanwhile.
    const most = often || code === 'log_unavailable' ? RETRY_MS_MAX.soon : RETRY_MS_MAX.later;
    // Everybody on a server loses it at the same time, and shall not come back in the same instant.
    this.#countDown(code, most * (0.5 + Math.random() / 2));
  }

  /** Somebody who does something on the page sees what their devices do. */
  #isHere(): void {
    this.#failingSince = undefined;
    const phase = this.get();
    if (phase.name === 'ended') this.set({ ...phase, turnedOff: false });
  }

  /** Whoever is away from the page meanwhile does not want to be seen and heard when the server comes back. */
  #turnOff(): void {
    const { mic, camera } = this.media.get();
    const phase = this.get();
    if (phase.name === 'ended' && (mic.on || camera.on)) this.set({ ...phase, turnedOff: true });
    this.#stopSending();
  }

  #countDown(code: FailureCode, delay: number): void {
    if (delay <= 0) {
      void this.join(this.preferences.get().name, true);
      return;
    }
    const seconds = Math.ceil(delay / 1_000);
    const rest = (seconds - 1) * 1_000;
    const before = this.get();
    const turnedOff = before.name === 'ended' && before.turnedOff;
    this.set({ name: 'ended', code, retryInSeconds: seconds, turnedOff });
    this.#timer = setTimeout(() => this.#countDown(code, rest), delay - rest);
  }

  #stopRetrying(): void {
    clearTimeout(this.#timer);
  }

  /** Lets the meeting send what the devices give now. */
  #sendMedia(): void {
    const phase = this.get();
    if (phase.name !== 'meeting') return;
    const state = this.media.get();
    for (const kind of ['mic', 'camera'] as const) {
      const { on, track } = state[kind];
      if (track) {
        phase.meeting.publish(kind, track, { paused: !on });
      } else {
        phase.meeting.mute(kind);
        phase.meeting.replaceTrack(kind, null);
      }
    }
  }

  /** The same of one's screen. */
  #sendScreen(): void {
    const phase = this.get();
    if (phase.name !== 'meeting') return;
    const { track, audioTrack } = this.screen.get();
    for (const [source, sent] of [
      ['screen', track],
      ['screenAudio', audioTrack],
    ] as const) {
      if (sent) phase.meeting.publish(source, sent);
      else phase.meeting.unpublish(source);
    }
  }

  /** False if the hosts do not let one; says so. */
  #may(source: Source): boolean {
    const phase = this.get();
    if (phase.name !== 'meeting' || phase.meeting.may(source)) return true;
    this.notAllowed.set({ what: source });
    return false;
  }

  #keepToRights(meeting: Meeting): void {
    const { mic, camera } = this.media.get();
    for (const [source, on] of [
      ['mic', mic.on],
      ['camera', camera.on],
      ['screen', this.screen.get().track],
    ] as const) {
      if (on && !meeting.may(source)) this.#turnedOffByOther(source);
    }
  }

  /** It stays off after a reload too: who was muted is not to be heard by accident. */
  #turnedOffByOther(source: Source): void {
    if (source === 'mic' || source === 'camera') {
      this.preferences.update(source === 'mic' ? { micOn: false } : { cameraOn: false });
      void this.media.setOn(source, false);
    } else {
      this.screen.stop();
    }
  }

  #stopSending(): void {
    this.media.stop();
    this.screen.stop();
  }
}
