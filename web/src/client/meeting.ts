import { Device, type types } from 'mediasoup-client';
import { Chat, type ChatState } from './chat';
import { Connection, type ConnectionEvents, type ConnectionState } from './connection';
import { Emitter } from './emitter';
import { Failure } from './failure';
import { retire } from './former-transport';
import { askForPlace } from './join-places';
import { Moderation, type ModerationEvents } from './moderation';
import { may } from './permissions';
import type {
  AudioLevel,
  Direction,
  IceServer,
  Moderation as ModerationAction,
  NotificationEvent,
  NotificationMap,
  ParticipantId,
  ProducerId,
  RoomSettings,
  Signal,
  Source,
  TransportOptions,
  WaitingView,
} from './protocol';
import { Publisher } from './publisher';
import { cameraOf, type Participant, participantOf, Roster, sourceOf } from './roster';
import { StreamQualityReader } from './stream-quality';
import { Subscriber, type View } from './subscriber';
import { keepTransport } from './transport-keeper';

export interface JoinOptions {
  room: string;
  /** What others read on the tile. */
  name: string;
  /** The server; the page's own origin by default. */
  origin?: string;
  /** `sessionToken` of an earlier stay: come back as the same participant, as after a reload. */
  resumeToken?: string | undefined;
  /** What to send video with, as `VP9`, while everybody in the room can receive it; the server's first, VP8, by
   *  default and where this browser cannot encode it. */
  videoCodec?: string | undefined;
  /** Called when a host has to let this client in first, and when the connection is lost and back meanwhile. */
  onWaiting?: ((connected: boolean) => void) | undefined;
  /** Gives up to wait for that: `joinMeeting` rejects with `closed`. */
  signal?: AbortSignal | undefined;
}

export interface MeetingEvents extends ModerationEvents {
  /** Somebody came, left, published, muted …, or a track came or went. */
  participants: readonly Participant[];
  participantJoined: Participant;
  participantLeft: Participant;
  /** A few times a second while somebody speaks; the loudest first. */
  audioLevels: readonly AudioLevel[];
  /** Somebody else than before speaks most. */
  activeSpeaker: ParticipantId;
  /** Those whose network is weak now, perhaps oneself. */
  weak: ReadonlySet<ParticipantId>;
  /** Those whose picture stands still now. */
  stalled: ReadonlySet<ParticipantId>;
  /** Somebody wrote, or what one wrote oneself was sent or refused. */
  chat: ChatState;
  connection: ConnectionState;
  /** Changes with each connection; keep it where a reload finds it. */
  sessionToken: string;
  /** Somebody else shows something of this moment. */
  signal: { who: ParticipantId } & Signal;
  /** One's own source was muted or ended by somebody else; who, where that is known. */
  mutedByOther: { source: Source; by: ParticipantId | undefined };
  /** A source could not be published. */
  publishFailed: { source: Source; failure: Failure };
  /** The meeting is over for this page, and why: `closed` after `leave()`. */
  ended: Failure;
}

const REPLACE_RETRY_MS = 2_000;

/** Joins a room: resolves as soon as one is in it; rejects with a `Failure`, `denied` if nobody lets this client in. */
export async function joinMeeting(options: JoinOptions): Promise<Meeting> {
  const origin = options.origin ?? globalThis.location.origin;
  try {
    return await join(options, origin, options.resumeToken);
  } catch (thrown) {
    const failure = Failure.from(thrown);
    // Who was sent out may come in again, as somebody new.
    const tokenRefused = ['unauthorized', 'session_expired', 'removed', 'not_joined', 'not_found'].includes(
      failure.code,
    );
    if (options.resumeToken === undefined || !tokenRefused) throw failure;
    return await join(options, origin, undefined);
  }
}

async function join(
  { room, name, videoCodec, onWaiting, signal }: JoinOptions,
  origin: string,
  resumeToken: string | undefined,
): Promise<Meeting> {
  const place = await askForPlace(origin, room, resumeToken);
  const device = await Device.factory().catch(() => {
    throw new Failure('unsupported_browser', 'this browser cannot take part in meetings');
  });
  await device.load({ routerRtpCapabilities: place.routerRtpCapabilities });
  const rtpCapabilities = device.recvRtpCapabilities;
  if (signal?.aborted) throw new Failure('closed', 'given up');
  const connection = new Connection({ origin, room, place, resumeToken, join: { name, rtpCapabilities } });
  const meeting = new Meeting(room, device, connection, videoCodec);
  connection.on('state', (state) => {
    if (state === 'waiting') onWaiting?.(true);
    else if (state === 'reconnecting' && !connection.isIn) onWaiting?.(false);
  });
  const giveUp = () => connection.giveUp();
  signal?.addEventListener('abort', giveUp);
  try {
    await connection.start();
  } finally {
    signal?.removeEventListener('abort', giveUp);
  }
  return meeting;
}

/** A room that this client is in. No user interface: tracks in, tracks out, and events. */
export class Meeting extends Emitter<MeetingEvents> {
  readonly room: string;
  readonly #device: Device;
  readonly #connection: Connection;
  readonly #roster = new Roster();
  readonly #chat: Chat;
  readonly #moderation = new Moderation((event, data) => this.emit(event, data as MeetingEvents[typeof event]));
  readonly #publisher: Publisher;
  readonly #subscriber: Subscriber;
  #selfId: ParticipantId = '';
  #iceServers: IceServer[] = [];
  readonly #replacing = new Set<Direction>();
  #sendTransport: types.Transport | undefined;
  #recvTransport: types.Transport | undefined;

  /** Use `joinMeeting`. */
  constructor(room: string, device: Device, connection: Connection, videoCodec?: string) {
    super();
    this.room = room;
    this.#device = device;
    this.#connection = connection;
    const request = connection.request.bind(connection);
    const isPreferred = ({ mimeType }: types.RtpCodecCapability) =>
      mimeType.toLowerCase() === `video/${videoCodec}`.toLowerCase();
    const videoCodecs = (device.sendRtpCapabilities.codecs ?? [])
      .filter(({ kind, mimeType }) => kind === 'video' && !/\/rtx$/i.test(mimeType))
      .sort((one, other) => Number(isPreferred(other)) - Number(isPreferred(one)));
    // What one sends is to be so however long the log is away.
    this.#publisher = new Publisher(
      (event, data, options) => request(event, data, { ...options, patient: true }),
      (source, failure) => this.emit('publishFailed', { source, failure }),
      videoCodecs,
    );
    this.#subscriber = new Subscriber(
      request,
      (producerId, track) => {
        this.#roster.setTrack(producerId, track);
        this.emit('participants', this.participants);
        this.#tellReception();
      },
      (producerId, unsupported) => {
        this.#roster.setUnsupported(producerId, unsupported);
        this.emit('participants', this.participants);
      },
    );
    this.#chat = new Chat(
      (text) => connection.request('sendChatMessage', { text }, { patient: true }),
      (chat) => this.emit('chat', chat),
    );
    connection.on('welcome', (welcome) => this.#welcomed(welcome));
    connection.on('notification', ({ event, data }) => this.#notified(event, data));
    connection.on('state', (state) => this.emit('connection', state));
    connection.on('ended', (failure) => {
      this.#sendTransport?.close();
      this.#recvTransport?.close();
      this.emit('ended', failure);
    });
  }

  #notified<E extends NotificationEvent>(event: E, data: NotificationMap[E]): void {
    const left = event === 'participantLeft' ? (data as NotificationMap['participantLeft']).participantId : '';
    const subject = this.#roster.get(left);
    if (this.#roster.knows(event)) this.#rosterChanged(() => this.#roster.apply(event, data));
    const handler = this.#handlers[event] as ((data: NotificationMap[E]) => void) | undefined;
    handler?.(data);
    this.#moderation.apply(event, data, this.#selfId, subject);
  }

  readonly #handlers: { [E in NotificationEvent]?: (data: NotificationMap[E]) => void } = {
    audioLevels: ({ levels }) => this.emit('audioLevels', levels),
    activeSpeaker: ({ producerId }) => {
      this.#subscriber.prefer(cameraOf(producerId));
      this.emit('activeSpeaker', participantOf(producerId));
    },
    consumerScore: (data) => {
      this.#subscriber.scored(data);
      this.#tellReception();
    },
    signal: ({ participantId: who, ...signal }) => this.emit('signal', { who, ...signal }),
    consumerClosed: ({ consumerId }) => this.#subscriber.closed(consumerId),
    wantedLayers: ({ producerId, spatialLayer }) => this.#publisher.limitLayers(producerId, spatialLayer),
    chatMessage: ({ message }) => this.#chat.received(message),
    videoCodecsChanged: ({ videoCodecs }) => this.#publisher.roomReceives(videoCodecs),
    transportClosed: (data) => this.#transportClosed(data),
    producerAdded: ({ producer }) => this.#subscriber.published(producer.id),
    producerPaused: ({ producerId, by }) => this.#stopped(producerId, by, (source) => this.#publisher.paused(source)),
    producerClosed: ({ producerId, by }) => this.#stopped(producerId, by, (source) => this.#publisher.closed(source)),
    producerResumed: ({ producerId }) => {
      if (participantOf(producerId) === this.#selfId) this.#publisher.resumed(sourceOf(producerId));
    },
  };

  /** A source was muted or is no more; perhaps one's own, because somebody else said so. */
  #stopped(producerId: ProducerId, by: ParticipantId | undefined, stop: (source: Source) => void): void {
    if (!by || participantOf(producerId) !== this.#selfId) return;
    const source = sourceOf(producerId);
    stop(source);
    this.emit('mutedByOther', { source, by });
  }

  #tellReception(): void {
    const { weakSenders, stalledSenders, weak } = this.#subscriber;
    this.emit('stalled', new Set(stalledSenders));
    this.emit('weak', new Set(weak ? [...weakSenders, this.#selfId] : weakSenders));
  }

  /** One's own participant id. */
  get selfId(): ParticipantId {
    return this.#selfId;
  }

  /** Everybody in the room, oneself included, in the order in which they joined. */
  get participants(): readonly Participant[] {
    return this.#roster.participants;
  }

  /** What is written in the room; the same object until something changes. */
  get chat(): ChatState {
    return this.#chat.state;
  }

  /** What the hosts decided for all. */
  get settings(): RoomSettings {
    return this.#moderation.settings;
  }

  /** Whether the room lets one publish a source. Of who is in it no more nothing is said. */
  may(source: Source): boolean {
    const self = this.#roster.get(this.#selfId);
    return self === undefined || may(self, source, this.settings);
  }

  /** As a host: who waits to be let in. */
  get waiting(): readonly WaitingView[] {
    return this.#moderation.waiting;
  }

  get connection(): ConnectionState {
    return this.#connection.state;
  }

  get sessionToken(): string | undefined {
    return this.#connection.sessionToken;
  }

  /** For statistics only. */
  get sendTransport(): types.Transport | undefined {
    return this.#sendTransport;
  }

  /** For statistics only. */
  get recvTransport(): types.Transport | undefined {
    return this.#recvTransport;
  }

  /** For statistics only. */
  get producers(): types.Producer[] {
    return this.#publisher.producers;
  }

  /** For statistics only. */
  get consumers(): types.Consumer[] {
    return this.#subscriber.consumers;
  }

  /** What the browser says of one's own or another's source, since the look before: one reader for one who looks. */
  quality(producerId: ProducerId): StreamQualityReader {
    const stream = () =>
      this.#subscriber.consumerOf(producerId) ?? this.#publisher.producers.find(({ id }) => id === producerId);
    return new StreamQualityReader(async () => (await stream()?.getStats()) ?? new Map());
  }

  /** Sends `track` as `source`, in place of what that source sent before. The track stays the caller's to stop. */
  publish(source: Source, track: MediaStreamTrack, { paused = false } = {}): void {
    this.#publisher.publish(source, track, paused);
  }

  /** Instant: the track is silent when this returns. */
  mute(source: Source): void {
    this.#publisher.setPaused(source, true);
  }

  unmute(source: Source): void {
    this.#publisher.setPaused(source, false);
  }

  /** Another device, or none (`null`) while the source is switched off. */
  replaceTrack(source: Source, track: MediaStreamTrack | null): void {
    this.#publisher.replaceTrack(source, track);
  }

  unpublish(source: Source): void {
    this.#publisher.unpublish(source);
  }

  /** How large a picture is shown, or that it is not: only that much of it is received. */
  view(producerId: ProducerId, view: View): void {
    this.#subscriber.view(producerId, view);
  }

  /** Raises one's hand, or lowers it. Rejects with a `Failure`. */
  async raiseHand(raised: boolean): Promise<void> {
    await this.#connection.request('raiseHand', { raised });
  }

  /** Shows the others something of this moment; nobody misses it if it is lost. */
  signal(signal: Signal): void {
    if (this.connection === 'connected') this.#connection.request('signal', signal).catch(() => {});
  }

  /** Does something to others or to the room, as a host or co-host. Rejects with a `Failure`. */
  async moderate(action: ModerationAction): Promise<void> {
    await this.#connection.request('moderate', action);
  }

  /**
   * Writes to the room: plain text of at most 4,096 bytes. It is in `chat` at once, and repeated until the room has it.
   * False if it is empty, or while 50 are under way.
   */
  sendChat(text: string): boolean {
    return this.#chat.send(text);
  }

  /** Sends again what could not be sent. */
  retryChat(key: number): void {
    this.#chat.retry(key);
  }

  /** Forgets what could not be sent. */
  removeChat(key: number): void {
    this.#chat.remove(key);
  }

  /** Leaves for good. */
  leave(): void {
    this.#connection.request('leave', {}).then(
      () => this.#connection.close(),
      () => this.#connection.close(),
    );
    this.#sendTransport?.close();
    this.#recvTransport?.close();
    if (this.#connection.state !== 'connected') this.#connection.close();
  }

  #welcomed({ welcome, iceServers }: ConnectionEvents['welcome']): void {
    const selfIdBefore = this.#selfId;
    this.#selfId = welcome.participantId;
    this.#iceServers = iceServers;
    this.#rosterChanged(() => this.#roster.reset(welcome.room), selfIdBefore);
    this.#chat.welcomed(welcome.participantId, welcome.room.chat);
    this.#publisher.roomReceives(welcome.room.videoCodecs);
    // What was published anew while the socket was away nobody told.
    for (const { producers } of welcome.room.participants) {
      for (const { id } of producers) this.#subscriber.published(id);
    }
    if (welcome.sendTransport) this.#openTransport('send', welcome.sendTransport);
    if (welcome.recvTransport) this.#openTransport('recv', welcome.recvTransport);
    this.#moderation.reset(welcome.room);
    this.#publisher.reconcile(this.#held(), (source) => this.emit('mutedByOther', { source, by: undefined }));
    this.emit('sessionToken', welcome.sessionToken);
  }

  /** What the room says that this client publishes. */
  #held() {
    const media = Object.values(this.#roster.get(this.#selfId)?.media ?? {});
    return new Map(media.map((held) => [sourceOf(held.producerId), held]));
  }

  #rosterChanged(change: () => void, selfIdBefore = this.#selfId): void {
    const before = this.participants.filter(({ id }) => id !== selfIdBefore);
    const first = this.participants.length === 0;
    change();
    const now = this.participants.filter(({ id }) => id !== this.#selfId);
    const wanted = now.flatMap(({ media }) => Object.values(media));
    this.#subscriber.want(
      new Set(wanted.map(({ producerId }) => producerId)),
      new Set(wanted.filter(({ paused }) => paused).map(({ producerId }) => producerId)),
    );
    this.emit('participants', this.participants);
    if (first) return;
    const without = (from: Participant[], others: Participant[]) => {
      const ids = new Set(others.map(({ id }) => id));
      return from.filter(({ id }) => !ids.has(id));
    };
    for (const participant of without(before, now)) this.emit('participantLeft', participant);
    for (const participant of without(now, before)) this.emit('participantJoined', participant);
  }

  #openTransport(direction: Direction, options: TransportOptions): void {
    const all = { ...options, iceServers: this.#iceServers };
    if (direction === 'send') {
      const former = this.#sendTransport;
      const transport = this.#device.createSendTransport(all);
      if (former) retire(former, transport);
      this.#sendTransport = transport;
      this.#connect(transport);
      this.#publisher.attach(transport, this.#selfId);
    } else {
      // The subscriber closes the one before.
      const transport = this.#device.createRecvTransport(all);
      this.#recvTransport = transport;
      this.#connect(transport);
      this.#subscriber.attach(transport);
    }
  }

  #connect(transport: types.Transport): void {
    transport.on('connect', ({ dtlsParameters }, callback, errback) => {
      this.#connection
        .request('connectWebRtcTransport', { transportId: transport.id, dtlsParameters })
        .then(callback, errback);
    });
    keepTransport(transport, {
      restartIce: async () => {
        if (!this.#isInUse(transport)) throw new Failure('closed', 'another transport took its place');
        return (await this.#connection.request('restartIce', { transportId: transport.id })).iceParameters;
      },
      replace: () => {
        if (this.#isInUse(transport)) void this.#replaceTransport(transport.direction);
      },
    });
  }

  #isInUse(transport: types.Transport): boolean {
    return transport === this.#sendTransport || transport === this.#recvTransport;
  }

  #transportClosed({ transportId }: NotificationMap['transportClosed']): void {
    for (const transport of [this.#sendTransport, this.#recvTransport]) {
      if (transport?.id === transportId) void this.#replaceTransport(transport.direction);
    }
  }

  async #replaceTransport(direction: Direction): Promise<void> {
    if (this.#replacing.has(direction)) return;
    this.#replacing.add(direction);
    try {
      this.#openTransport(direction, await this.#connection.request('createWebRtcTransport', { direction }));
    } catch (thrown) {
      // A session that ended is followed by a welcome with new transports.
      if (Failure.from(thrown).code !== 'closed') setTimeout(() => this.#replaceTransport(direction), REPLACE_RETRY_MS);
    } finally {
      this.#replacing.delete(direction);
    }
  }
}
