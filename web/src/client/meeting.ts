import { Device, type types } from 'mediasoup-client';
import { Chat, type ChatState } from './chat';
import { Connection, type ConnectionEvents, type ConnectionState } from './connection';
import { Emitter } from './emitter';
import { Failure } from './failure';
import { retire } from './former-transport';
import { askForPlace } from './join-places';
import { may } from './permissions';
import type {
  AudioLevel,
  Direction,
  IceServer,
  Moderation,
  NotificationMap,
  ParticipantId,
  ProducerId,
  Role,
  RoomSettings,
  Source,
  TransportOptions,
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
}

export interface MeetingEvents {
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
  /** What the hosts decided for all, in full. */
  settings: RoomSettings;
  /** Somebody did something that others are told of. */
  moderated: Moderated;
  /** One's own source was muted or ended by somebody else; who, where that is known. */
  mutedByOther: { source: Source; by: ParticipantId | undefined };
  /** Somebody would like to hear or see one. */
  askedToUnmute: { source: Source; by: ParticipantId };
  /** A source could not be published. */
  publishFailed: { source: Source; failure: Failure };
  /** The meeting is over for this page, and why: `closed` after `leave()`. */
  ended: Failure;
}

/** What somebody did, as others are told. Without `by` it came about by itself. */
export type Moderated =
  | { kind: 'handRaised'; who: ParticipantId }
  | { kind: 'handLowered'; who: ParticipantId; by: ParticipantId }
  | { kind: 'roleChanged'; who: ParticipantId; role: Role; by: ParticipantId | undefined }
  | { kind: 'muted'; who: ParticipantId; source: Source; by: ParticipantId }
  | { kind: 'removed'; name: string; by: ParticipantId }
  | { kind: 'setting'; setting: keyof RoomSettings; on: boolean; by: ParticipantId };

/** Until the room says otherwise. */
const OPEN: RoomSettings = { locked: false, mic: true, camera: true, screen: true, chat: true };
const REPLACE_RETRY_MS = 2_000;

/** Joins a room: resolves as soon as one is in it; rejects with a `Failure`. */
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
  { room, name, videoCodec }: JoinOptions,
  origin: string,
  resumeToken: string | undefined,
): Promise<Meeting> {
  const place = await askForPlace(origin, room, resumeToken);
  const device = await Device.factory().catch(() => {
    throw new Failure('unsupported_browser', 'this browser cannot take part in meetings');
  });
  await device.load({ routerRtpCapabilities: place.routerRtpCapabilities });
  const rtpCapabilities = device.recvRtpCapabilities;
  const connection = new Connection({ origin, room, place, resumeToken, join: { name, rtpCapabilities } });
  const meeting = new Meeting(room, device, connection, videoCodec);
  await connection.start();
  return meeting;
}

/** A room that this client is in. No user interface: tracks in, tracks out, and events. */
export class Meeting extends Emitter<MeetingEvents> {
  readonly room: string;
  readonly #device: Device;
  readonly #connection: Connection;
  readonly #roster = new Roster();
  readonly #chat: Chat;
  readonly #publisher: Publisher;
  readonly #subscriber: Subscriber;
  #selfId: ParticipantId = '';
  #settings = OPEN;
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
    connection.on('notification', ({ event, data }) => {
      if (event === 'audioLevels') this.emit('audioLevels', data.levels);
      else if (event === 'activeSpeaker') {
        this.#subscriber.prefer(cameraOf(data.producerId));
        this.emit('activeSpeaker', participantOf(data.producerId));
      } else if (event === 'consumerScore') {
        this.#subscriber.scored(data);
        this.#tellReception();
      } else if (event === 'consumerClosed') this.#subscriber.closed(data.consumerId);
      else if (event === 'wantedLayers') this.#publisher.limitLayers(data.producerId, data.spatialLayer);
      else if (event === 'chatMessage') this.#chat.received(data.message);
      else if (event === 'videoCodecsChanged') this.#publisher.roomReceives(data.videoCodecs);
      else if (event === 'transportClosed') this.#transportClosed(data);
      else if (event === 'askedToUnmute') this.emit('askedToUnmute', { source: data.source, by: data.by });
      else if (event === 'settingsChanged') this.#settingsChanged(data);
      else {
        const who = event === 'participantLeft' ? this.#roster.get(data.participantId) : undefined;
        this.#rosterChanged(() => this.#roster.apply(event, data));
        if (event === 'producerPaused' || event === 'producerClosed') this.#ended(event, data);
        else if (event === 'producerResumed') this.#own(data.producerId, (source) => this.#publisher.resumed(source));
        else if (event === 'participantLeft' && data.by && who) {
          this.emit('moderated', { kind: 'removed', name: who.name, by: data.by });
        } else if (event === 'handRaised') this.emit('moderated', { kind: event, who: data.participantId });
        else if (event === 'handLowered' && data.by) {
          this.emit('moderated', { kind: event, who: data.participantId, by: data.by });
        } else if (event === 'roleChanged') {
          this.emit('moderated', { kind: event, who: data.participantId, role: data.role, by: data.by });
        }
        if (event === 'producerAdded') this.#subscriber.published(data.producer.id);
      }
    });
    connection.on('state', (state) => this.emit('connection', state));
    connection.on('ended', (failure) => {
      this.#sendTransport?.close();
      this.#recvTransport?.close();
      this.emit('ended', failure);
    });
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
    return this.#settings;
  }

  /** Whether the room lets one publish a source. Of who is in it no more nothing is said. */
  may(source: Source): boolean {
    const self = this.#roster.get(this.#selfId);
    return self === undefined || may(self, source, this.#settings);
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

  /** Does something to others or to the room, as a host or co-host. Rejects with a `Failure`. */
  async moderate(action: Moderation): Promise<void> {
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
    // A node of before has none.
    this.#settings = welcome.room.settings ?? OPEN;
    this.emit('settings', this.#settings);
    this.#publisher.reconcile(this.#held(), (source) => this.emit('mutedByOther', { source, by: undefined }));
    this.emit('sessionToken', welcome.sessionToken);
  }

  /** A source was muted or is no more; perhaps because somebody else said so. */
  #ended(event: 'producerPaused' | 'producerClosed', { producerId, by }: NotificationMap[typeof event]): void {
    if (!by) return;
    const source = sourceOf(producerId);
    this.emit('moderated', { kind: 'muted', who: participantOf(producerId), source, by });
    this.#own(producerId, () => {
      if (event === 'producerPaused') this.#publisher.paused(source);
      else this.#publisher.unpublish(source);
      this.emit('mutedByOther', { source, by });
    });
  }

  #own(producerId: ProducerId, then: (source: Source) => void): void {
    if (participantOf(producerId) === this.#selfId) then(sourceOf(producerId));
  }

  #settingsChanged({ settings, by }: NotificationMap['settingsChanged']): void {
    const before = this.#settings;
    this.#settings = settings;
    this.emit('settings', settings);
    for (const setting of Object.keys(settings) as (keyof RoomSettings)[]) {
      if (settings[setting] !== before[setting]) {
        this.emit('moderated', { kind: 'setting', setting, on: settings[setting], by });
      }
    }
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
