import {
  type ConnectionState,
  Failure,
  type FailureCode,
  type Meeting,
  type Moderated,
  type Moderation,
  type Participant,
  participantOf,
  type RoomSettings,
  type Source,
  type StreamQualityReader,
  type WaitingView,
} from '../client';
import type { LocalKind } from './local-media';
import { type ModerationNews, moderationNews, together } from './moderation-news';
import { displayNames } from './names';
import { SpeakingTracker } from './speaking';
import { Store } from './store';

export type News =
  /** Somebody came or went. */
  | { kind: 'joined' | 'left'; name: string }
  /** Somebody wants to be let in. */
  | { kind: 'waits'; name: string }
  /** Somebody shows their screen now, or does not any more. */
  | { kind: 'shares' | 'sharesNoMore'; name: string }
  /** A host did something, or somebody raised their hand. */
  | ModerationNews
  /** The hosts do not let one do it. */
  | { kind: 'notAllowed'; what: Source }
  /** The server did not do what was asked, and says why. */
  | { kind: 'refused'; code: FailureCode }
  /** What came of copying the meeting's link. */
  | { kind: 'copied' | 'notCopied' };

/** A calm word. */
export interface Notice {
  id: number;
  news: News;
}

export interface MeetingState {
  selfId: string;
  participants: readonly Participant[];
  /** What to show for each participant id. */
  names: ReadonlyMap<string, string>;
  speaking: ReadonlySet<string>;
  /** Who else spoke most last. */
  speakerId: string | undefined;
  /** The producers of the shared screens, the newest last. */
  screens: readonly string[];
  /** The key of the tile that is to be large. */
  pinned: string | undefined;
  /** Those whose network is weak. */
  weak: ReadonlySet<string>;
  /** Those whose picture stands still. */
  stalled: ReadonlySet<string>;
  /** What the hosts decided for all. */
  settings: RoomSettings;
  /** For hosts: who waits to be let in. */
  waiting: readonly WaitingView[];
  /** Who would like to hear or see one. */
  asked: { source: Source; by: string } | undefined;
  connection: ConnectionState;
  notices: readonly Notice[];
  /** What others do not get of oneself. */
  notSent: Readonly<Partial<Record<LocalKind, 'failed' | 'trying'>>>;
}

/** Longer than any request takes. */
const TRYING_MS_MAX = 12_000;
const NOTICE_MS = 4_000;
const NOTICES_MAX = 3;
const SPEAKING_CHECK_MS = 250;

/** What the meeting's page shows. */
export class MeetingView extends Store<MeetingState> {
  readonly #meeting: Meeting;
  readonly #speaking = new SpeakingTracker();
  readonly #offs: (() => void)[];
  readonly #timer: ReturnType<typeof setInterval>;
  #tryingTimer: ReturnType<typeof setTimeout> | undefined;
  #notices = 0;

  constructor(meeting: Meeting) {
    super(initial(meeting));
    this.#meeting = meeting;
    this.#offs = [
      meeting.on('participants', (participants) => {
        const sentBefore = this.#sent();
        const names = displayNames(participants);
        const screens = screensOf(participants, this.get().screens);
        this.#tellScreens(screens, names);
        this.update({ selfId: meeting.selfId, participants, names, screens });
        const sent = this.#sent();
        this.#clearNotSent((kind) => sent[kind] && !sentBefore[kind]);
      }),
      meeting.on('settings', (settings) => this.update({ settings })),
      meeting.on('waiting', (waiting) => {
        const before = this.get().waiting;
        this.update({ waiting });
        for (const { id, name } of waiting) {
          if (!before.some((other) => other.id === id)) this.say({ kind: 'waits', name });
        }
      }),
      meeting.on('moderated', (moderated) => this.#moderated(moderated)),
      meeting.on('askedToUnmute', ({ source, by }) => {
        this.update({ asked: { source, by: this.get().names.get(by) ?? '' } });
      }),
      meeting.on('connection', (connection) => this.update({ connection })),
      meeting.on('audioLevels', (levels) => {
        this.#speaking.heard(levels, performance.now());
        this.#showSpeaking();
      }),
      meeting.on('activeSpeaker', (id) => {
        if (id !== this.get().selfId) this.update({ speakerId: id });
      }),
      meeting.on('weak', (weak) => {
        if (!isSame(weak, this.get().weak)) this.update({ weak });
      }),
      meeting.on('stalled', (stalled) => {
        if (!isSame(stalled, this.get().stalled)) this.update({ stalled });
      }),
      meeting.on('participantJoined', ({ id, name }) => {
        this.say({ kind: 'joined', name: this.get().names.get(id) ?? name });
      }),
      meeting.on('participantLeft', ({ name }) => this.say({ kind: 'left', name })),
      meeting.on('publishFailed', ({ source, failure }) => {
        if (failure.code === 'forbidden') this.say({ kind: 'notAllowed', what: source });
        else if (source === 'mic' || source === 'camera') {
          this.update({ notSent: { ...this.get().notSent, [source]: 'failed' } });
        }
      }),
    ];
    this.#timer = setInterval(() => this.#showSpeaking(), SPEAKING_CHECK_MS);
  }

  /** What was not sent is being sent again. */
  tryingAgain(): void {
    const trying = Object.keys(this.get().notSent).map((kind) => [kind, 'trying']);
    this.update({ notSent: Object.fromEntries(trying) });
    clearTimeout(this.#tryingTimer);
    // Not everything that can fail is seen by the room when it succeeds.
    this.#tryingTimer = setTimeout(
      () => this.#clearNotSent((kind) => this.get().notSent[kind] === 'trying'),
      TRYING_MS_MAX,
    );
  }

  /** Raises one's hand, or lowers it. */
  raiseHand(raised: boolean): void {
    this.#asks(this.#meeting.raiseHand(raised));
  }

  /** Does something to others, or to the room. */
  moderate(action: Moderation): void {
    this.#asks(this.#meeting.moderate(action));
  }

  /** The question to unmute was answered, with yes or no. */
  answered(): void {
    this.update({ asked: undefined });
  }

  #asks(asking: Promise<void>): void {
    asking.catch((thrown) => {
      const { code } = Failure.from(thrown);
      if (code !== 'closed') this.say({ kind: 'refused', code });
    });
  }

  #moderated(moderated: Moderated): void {
    const { selfId, names, notices, participants } = this.get();
    // That somebody only watches from now on says that they are not heard and seen.
    const isViewer =
      moderated.kind === 'muted' && participants.find(({ id }) => id === moderated.who)?.role === 'viewer';
    const news = isViewer ? undefined : moderationNews(moderated, selfId, names);
    if (!news) return;
    const before = notices.at(-1);
    const several = before?.news.kind === 'moderation' ? together(before.news, news) : undefined;
    // That somebody left is said in the same breath.
    const isInstead = ({ news: said }: Notice) =>
      (several && said === before?.news) || (news.code === 'removed' && said.kind === 'left' && said.name === news.who);
    if (notices.some(isInstead)) this.update({ notices: notices.filter((notice) => !isInstead(notice)) });
    this.say(several ?? news);
  }

  /** Reads how a source arrives, or is sent. */
  quality(producerId: string): StreamQualityReader {
    return this.#meeting.quality(producerId);
  }

  /** Makes a tile large whoever speaks, or lets it be one of many again. */
  pin(key: string): void {
    this.update({ pinned: this.get().pinned === key ? undefined : key });
  }

  /** Shows a word for a moment. */
  say(news: News): void {
    this.#notices += 1;
    const notice = { id: this.#notices, news };
    // Of what one did oneself only the newest word counts.
    const isOwn = ({ kind }: News) => ['copied', 'notCopied', 'notAllowed', 'refused'].includes(kind);
    const others = this.get().notices.filter((other) => !isOwn(other.news) || !isOwn(news));
    this.update({ notices: [...others, notice].slice(-NOTICES_MAX) });
    setTimeout(() => this.update({ notices: this.get().notices.filter(({ id }) => id !== notice.id) }), NOTICE_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#tryingTimer);
    for (const off of this.#offs) off();
  }

  #showSpeaking(): void {
    const speaking = this.#speaking.speaking(performance.now());
    if (!isSame(speaking, this.get().speaking)) this.update({ speaking });
  }

  /** Says who began and who ended to show their screen; not of who left, nor of oneself. */
  #tellScreens(screens: readonly string[], names: ReadonlyMap<string, string>): void {
    const { screens: before, selfId } = this.get();
    const tell = (kind: 'shares' | 'sharesNoMore', key: string) => {
      const id = participantOf(key);
      const name = names.get(id);
      if (id !== selfId && name !== undefined) this.say({ kind, name });
    };
    for (const key of screens) if (!before.includes(key)) tell('shares', key);
    for (const key of before) if (!screens.includes(key)) tell('sharesNoMore', key);
  }

  /** What the room gets of oneself. */
  #sent(): Record<LocalKind, boolean> {
    const { participants, selfId } = this.get();
    const { mic, camera } = participants.find(({ id }) => id === selfId)?.media ?? {};
    return { mic: mic?.paused === false, camera: camera?.paused === false };
  }

  #clearNotSent(done: (kind: LocalKind) => boolean): void {
    const { notSent } = this.get();
    const left = Object.entries(notSent).filter(([kind]) => !done(kind as LocalKind));
    if (left.length < Object.keys(notSent).length) this.update({ notSent: Object.fromEntries(left) });
  }
}

function isSame(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((id) => other.has(id));
}

/** Those that were there before stay in their order. */
function screensOf(participants: readonly Participant[], before: readonly string[]): readonly string[] {
  const shared = participants.flatMap(({ media }) => media.screen?.producerId ?? []);
  const now = [...before.filter((key) => shared.includes(key)), ...shared.filter((key) => !before.includes(key))];
  return now.length === before.length && now.every((key, place) => key === before[place]) ? before : now;
}

function initial(meeting: Meeting): MeetingState {
  return {
    selfId: meeting.selfId,
    participants: meeting.participants,
    names: displayNames(meeting.participants),
    speaking: new Set(),
    speakerId: undefined,
    screens: screensOf(meeting.participants, []),
    pinned: undefined,
    weak: new Set(),
    stalled: new Set(),
    settings: meeting.settings,
    waiting: meeting.waiting,
    asked: undefined,
    connection: meeting.connection,
    notices: [],
    notSent: {},
  };
}
