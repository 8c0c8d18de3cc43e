import type { ConnectionState, Meeting, Participant } from '../client';
import type { LocalKind } from './local-media';
import { displayNames } from './names';
import { SpeakingTracker } from './speaking';
import { Store } from './store';

export type News =
  /** Somebody came or went. */
  | { kind: 'joined' | 'left'; name: string }
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
  /** Those whose network is weak. */
  weak: ReadonlySet<string>;
  /** Those whose picture stands still. */
  stalled: ReadonlySet<string>;
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
  readonly #speaking = new SpeakingTracker();
  readonly #offs: (() => void)[];
  readonly #timer: ReturnType<typeof setInterval>;
  #tryingTimer: ReturnType<typeof setTimeout> | undefined;
  #notices = 0;

  constructor(meeting: Meeting) {
    super(initial(meeting));
    this.#offs = [
      meeting.on('participants', (participants) => {
        const sentBefore = this.#sent();
        this.update({ selfId: meeting.selfId, participants, names: displayNames(participants) });
        const sent = this.#sent();
        this.#clearNotSent((kind) => sent[kind] && !sentBefore[kind]);
      }),
      meeting.on('connection', (connection) => this.update({ connection })),
      meeting.on('audioLevels', (levels) => {
        this.#speaking.heard(levels, performance.now());
        this.#showSpeaking();
      }),
      meeting.on('weak', (weak) => this.update({ weak })),
      meeting.on('stalled', (stalled) => this.update({ stalled })),
      meeting.on('participantJoined', ({ id, name }) => {
        this.say({ kind: 'joined', name: this.get().names.get(id) ?? name });
      }),
      meeting.on('participantLeft', ({ name }) => this.say({ kind: 'left', name })),
      meeting.on('publishFailed', ({ source }) => {
        if (source === 'mic' || source === 'camera') {
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

  /** Shows a word for a moment. */
  say(news: News): void {
    this.#notices += 1;
    const notice = { id: this.#notices, news };
    const others = this.get().notices.filter((other) => 'name' in other.news || 'name' in news);
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
    const before = this.get().speaking;
    if (speaking.size === before.size && [...speaking].every((id) => before.has(id))) return;
    this.update({ speaking });
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

function initial(meeting: Meeting): MeetingState {
  return {
    selfId: meeting.selfId,
    participants: meeting.participants,
    names: displayNames(meeting.participants),
    speaking: new Set(),
    weak: new Set(),
    stalled: new Set(),
    connection: meeting.connection,
    notices: [],
    notSent: {},
  };
}
