import { isModerator } from './permissions';
import type {
  NotificationEvent,
  NotificationMap,
  ParticipantId,
  Role,
  RoomSettings,
  RoomSnapshot,
  Source,
  WaitingView,
} from './protocol';
import { type Participant, participantOf, sourceOf } from './roster';

/** What somebody did, as others are told. Without `by` it came about by itself. */
export type Moderated =
  | { kind: 'handRaised'; who: ParticipantId }
  | { kind: 'handLowered'; who: ParticipantId; by: ParticipantId }
  | { kind: 'roleChanged'; who: ParticipantId; role: Role; by: ParticipantId | undefined }
  | { kind: 'muted'; who: ParticipantId; source: Source; by: ParticipantId }
  | { kind: 'removed'; name: string; by: ParticipantId }
  | { kind: 'setting'; setting: keyof RoomSettings; on: boolean; by: ParticipantId };

export interface ModerationEvents {
  /** What the hosts decided for all, in full. */
  settings: RoomSettings;
  /** As a host: who waits to be let in, in the order in which they came. */
  waiting: readonly WaitingView[];
  /** Somebody did something that others are told of. */
  moderated: Moderated;
  /** Somebody would like to hear or see one. */
  askedToUnmute: { source: Source; by: ParticipantId };
}

type Emit = <E extends keyof ModerationEvents>(event: E, data: ModerationEvents[E]) => void;

/** Until the room says otherwise. */
const OPEN: RoomSettings = { lobby: false, locked: false, mic: true, camera: true, screen: true, chat: true };

/** What hosts decided, who waits for them, and what is told of what they do. */
export class Moderation {
  readonly #emit: Emit;
  #settings = OPEN;
  #waiting: readonly WaitingView[] = [];

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  get settings(): RoomSettings {
    return this.#settings;
  }

  get waiting(): readonly WaitingView[] {
    return this.#waiting;
  }

  reset({ settings, waiting }: RoomSnapshot): void {
    // A node of before has none.
    this.#settings = settings ?? OPEN;
    this.#emit('settings', this.#settings);
    this.#setWaiting(waiting ?? []);
  }

  /** Takes a notification in; `subject` is who it is about, as they were before it. */
  apply<E extends NotificationEvent>(
    event: E,
    data: NotificationMap[E],
    selfId: ParticipantId,
    subject: Participant | undefined,
  ): void {
    const handler = this.#handlers[event] as Handler<E> | undefined;
    handler?.(data, selfId, subject);
  }

  readonly #handlers: { [E in NotificationEvent]?: Handler<E> } = {
    askedToUnmute: ({ source, by }) => this.#emit('askedToUnmute', { source, by }),
    // Who is there already came back, perhaps with another name.
    waitingAdded: ({ waiting }) => this.#setWaiting([...this.#waiting.filter(({ id }) => id !== waiting.id), waiting]),
    waitingRemoved: ({ participantId }) => this.#setWaiting(this.#waiting.filter(({ id }) => id !== participantId)),
    waitingListed: ({ waiting }) => this.#setWaiting(waiting),
    settingsChanged: ({ settings, by }) => {
      const before = this.#settings;
      this.#settings = settings;
      this.#emit('settings', settings);
      for (const setting of Object.keys(settings) as (keyof RoomSettings)[]) {
        const on = settings[setting];
        if (on !== before[setting]) this.#emit('moderated', { kind: 'setting', setting, on, by });
      }
    },
    participantLeft: ({ by }, _, subject) => {
      if (by && subject) this.#emit('moderated', { kind: 'removed', name: subject.name, by });
    },
    producerPaused: (data) => this.#stopped(data),
    producerClosed: (data) => this.#stopped(data),
    handRaised: ({ participantId }) => this.#emit('moderated', { kind: 'handRaised', who: participantId }),
    handLowered: ({ participantId, by }) => {
      if (by) this.#emit('moderated', { kind: 'handLowered', who: participantId, by });
    },
    roleChanged: ({ participantId, role, by }, selfId) => {
      // Who waits is for hosts only; whoever becomes one is told.
      if (participantId === selfId && !isModerator({ role })) this.#setWaiting([]);
      this.#emit('moderated', { kind: 'roleChanged', who: participantId, role, by });
    },
  };

  #stopped({ producerId, by }: NotificationMap['producerPaused']): void {
    if (!by) return;
    this.#emit('moderated', { kind: 'muted', who: participantOf(producerId), source: sourceOf(producerId), by });
  }

  #setWaiting(waiting: readonly WaitingView[]): void {
    this.#waiting = waiting;
    this.#emit('waiting', waiting);
  }
}

type Handler<E extends NotificationEvent> = (
  data: NotificationMap[E],
  selfId: ParticipantId,
  subject: Participant | undefined,
) => void;
