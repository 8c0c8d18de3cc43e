import type {
  NotificationEvent,
  NotificationMap,
  ParticipantId,
  ParticipantView,
  ProducerId,
  ProducerView,
  Role,
  RoomSnapshot,
  Source,
} from './protocol';

/** One source of a participant. */
export interface Media {
  readonly producerId: ProducerId;
  /** Muted, or switched off for now. */
  readonly paused: boolean;
  /** What is received of it; absent for one's own, and until it is consumed. */
  readonly track: MediaStreamTrack | undefined;
  /** This browser cannot receive it: most likely it lacks the codec. */
  readonly unsupported: boolean;
}

/** A person in the room. Immutable: a change makes a new object. */
export interface Participant {
  readonly id: ParticipantId;
  readonly name: string;
  readonly role: Role;
  /** Whether they raised their hand: who has the lowest number was first. */
  readonly hand: number | undefined;
  readonly media: { readonly [S in Source]?: Media };
}

/** Who is in the room and what they publish, kept up to date from snapshots and notifications. */
export class Roster {
  #participants = new Map<ParticipantId, Participant>();
  readonly #tracks = new Map<ProducerId, MediaStreamTrack>();
  readonly #unsupported = new Set<ProducerId>();
  #list: readonly Participant[] = [];

  /** In the order in which they joined. The same array until something changes. */
  get participants(): readonly Participant[] {
    return this.#list;
  }

  get(id: ParticipantId): Participant | undefined {
    return this.#participants.get(id);
  }

  reset(snapshot: RoomSnapshot): void {
    this.#participants = new Map(snapshot.participants.map((view) => [view.id, this.#participant(view)]));
    this.#changed();
  }

  apply<E extends NotificationEvent>(event: E, data: NotificationMap[E]): void {
    const change = changes[event] as ((roster: Roster, data: NotificationMap[E]) => void) | undefined;
    if (!change) return;
    change(this, data);
    this.#changed();
  }

  /** The track that is received of a producer, or `undefined` when it is not any more. */
  setTrack(producerId: ProducerId, track: MediaStreamTrack | undefined): void {
    if (track) this.#tracks.set(producerId, track);
    else this.#tracks.delete(producerId);
    this.updateMedia(producerId, (media) => ({ ...media, track }));
    this.#changed();
  }

  setUnsupported(producerId: ProducerId, unsupported: boolean): void {
    if (unsupported) this.#unsupported.add(producerId);
    else this.#unsupported.delete(producerId);
    this.updateMedia(producerId, (media) => ({ ...media, unsupported }));
    this.#changed();
  }

  add(view: ParticipantView): void {
    this.#participants.set(view.id, this.#participant(view));
  }

  remove(id: ParticipantId): void {
    this.#participants.delete(id);
  }

  addMedia(id: ParticipantId, view: ProducerView): void {
    const participant = this.#participants.get(id);
    if (!participant) return;
    const media = { ...participant.media, [sourceOf(view.id)]: this.#media(view) };
    this.#participants.set(id, { ...participant, media });
  }

  updateMedia(producerId: ProducerId, update: (media: Media) => Media | undefined): void {
    const participant = this.#participants.get(participantOf(producerId));
    const source = sourceOf(producerId);
    const before = participant?.media[source];
    if (!participant || !before) return;
    const { [source]: _, ...rest } = participant.media;
    const after = update(before);
    this.#participants.set(participant.id, { ...participant, media: after ? { ...rest, [source]: after } : rest });
  }

  update(id: ParticipantId, change: Partial<Pick<Participant, 'name' | 'role' | 'hand'>>): void {
    const participant = this.#participants.get(id);
    if (participant) this.#participants.set(id, { ...participant, ...change });
  }

  #participant(view: ParticipantView): Participant {
    const media = Object.fromEntries(view.producers.map((producer) => [sourceOf(producer.id), this.#media(producer)]));
    // A node of before knows neither.
    return { id: view.id, name: view.name, role: view.role ?? 'participant', hand: view.hand ?? undefined, media };
  }

  #media(view: ProducerView): Media {
    const { id, paused } = view;
    return { producerId: id, paused, track: this.#tracks.get(id), unsupported: this.#unsupported.has(id) };
  }

  #changed(): void {
    this.#list = [...this.#participants.values()];
  }
}

/** The participant whose producer this is: `{participant}-{source}`. */
export function participantOf(producerId: ProducerId): ParticipantId {
  return producerId.slice(0, producerId.indexOf('-'));
}

/** The source of a producer. */
export function sourceOf(producerId: ProducerId): Source {
  return producerId.slice(producerId.indexOf('-') + 1) as Source;
}

/** The producer of a participant's source, which keeps this id however often it is published. */
export function producerIdOf(participantId: ParticipantId, source: Source): ProducerId {
  return `${participantId}-${source}`;
}

/** The camera of whoever owns this producer. */
export function cameraOf(producerId: ProducerId): ProducerId {
  return producerIdOf(participantOf(producerId), 'camera');
}

const changes: { [E in NotificationEvent]?: (roster: Roster, data: NotificationMap[E]) => void } = {
  participantJoined: (roster, { participant }) => roster.add(participant),
  participantLeft: (roster, { participantId }) => roster.remove(participantId),
  participantUpdated: (roster, { participantId, name }) => roster.update(participantId, { name }),
  roleChanged: (roster, { participantId, role }) => roster.update(participantId, { role }),
  handRaised: (roster, { participantId, order }) => roster.update(participantId, { hand: order }),
  handLowered: (roster, { participantId }) => roster.update(participantId, { hand: undefined }),
  producerAdded: (roster, { participantId, producer }) => roster.addMedia(participantId, producer),
  producerPaused: (roster, { producerId }) => roster.updateMedia(producerId, (media) => ({ ...media, paused: true })),
  producerResumed: (roster, { producerId }) => roster.updateMedia(producerId, (media) => ({ ...media, paused: false })),
  producerClosed: (roster, { producerId }) => roster.updateMedia(producerId, () => undefined),
};
