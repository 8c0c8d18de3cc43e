import type { ConnectionState, Meeting, Participant } from '../client';
import { displayNames } from './names';
import { SpeakingTracker } from './speaking';
import { Store } from './store';

export type News =
  /** Somebody came or went. */
  | { kind: 'joined' | 'left'; name: string }
  /** What others do not get of oneself. */
  | { kind: 'micNotSent' | 'cameraNotSent' };

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
  connection: ConnectionState;
  notices: readonly Notice[];
}

const NOTICE_MS = 4_000;
const NOTICES_MAX = 3;
const SPEAKING_CHECK_MS = 250;

/** What the meeting's page shows. */
export class MeetingView extends Store<MeetingState> {
  readonly #speaking = new SpeakingTracker();
  readonly #offs: (() => void)[];
  readonly #timer: ReturnType<typeof setInterval>;
  #notices = 0;

  constructor(meeting: Meeting) {
    super(initial(meeting));
    this.#offs = [
      meeting.on('participants', (participants) => {
        this.update({ selfId: meeting.selfId, participants, names: displayNames(participants) });
      }),
      meeting.on('connection', (connection) => this.update({ connection })),
      meeting.on('audioLevels', (levels) => {
        this.#speaking.heard(levels, performance.now());
        this.#showSpeaking();
      }),
      meeting.on('weak', (weak) => this.update({ weak })),
      meeting.on('participantJoined', ({ id, name }) => {
        this.#notice({ kind: 'joined', name: this.get().names.get(id) ?? name });
      }),
      meeting.on('participantLeft', ({ name }) => this.#notice({ kind: 'left', name })),
      meeting.on('publishFailed', ({ source }) => {
        if (source === 'mic' || source === 'camera') this.#notice({ kind: `${source}NotSent` });
      }),
    ];
    this.#timer = setInterval(() => this.#showSpeaking(), SPEAKING_CHECK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const off of this.#offs) off();
  }

  #showSpeaking(): void {
    const speaking = this.#speaking.speaking(performance.now());
    const before = this.get().speaking;
    if (speaking.size === before.size && [...speaking].every((id) => before.has(id))) return;
    this.update({ speaking });
  }

  #notice(news: News): void {
    this.#notices += 1;
    const notice = { id: this.#notices, news };
    this.update({ notices: [...this.get().notices, notice].slice(-NOTICES_MAX) });
    setTimeout(() => this.update({ notices: this.get().notices.filter(({ id }) => id !== notice.id) }), NOTICE_MS);
  }
}

function initial(meeting: Meeting): MeetingState {
  return {
    selfId: meeting.selfId,
    participants: meeting.participants,
    names: displayNames(meeting.participants),
    speaking: new Set(),
    weak: new Set(),
    connection: meeting.connection,
    notices: [],
  };
}
