import { Emitter } from './emitter';
import { Failure, type FailureCode } from './failure';
import { joinPlace } from './join-place';
import type {
  IceServer,
  Join,
  JoinPlaceReply,
  NotificationEvent,
  NotificationMap,
  RequestData,
  RequestEvent,
  RequestReply,
  Welcome,
} from './protocol';
import { RequestQueue } from './request-queue';
import { type OpenSocket, openSocket, type SocketListener } from './socket';

export type ConnectionState = 'connecting' | 'connected' | 'reconnecting' | 'ended';

export interface ConnectionEvents {
  state: ConnectionState;
  /** The room's state to start from. `resumed` says whether the session, and so all media, is the same as before. */
  welcome: { welcome: Welcome; resumed: boolean; iceServers: IceServer[] };
  notification: { [E in NotificationEvent]: { event: E; data: NotificationMap[E] } }[NotificationEvent];
  /** Why there will be no further attempt. */
  ended: Failure;
}

export interface ConnectionOptions {
  origin: string;
  room: string;
  join: Join;
  /** The place that was asked for first; later ones are asked for when needed. */
  place: JoinPlaceReply;
}

const RECONNECT_DELAYS_MS = [0, 250, 500, 1_000, 2_000];
const SESSION_GONE: FailureCode[] = ['session_expired', 'unauthorized', 'not_joined', 'not_found'];
/** Reasons of `sessionEnded` after which this connection does not come back; after `draining` its owner joins anew. */
const FINAL_REASONS: FailureCode[] = ['superseded', 'forbidden', 'draining', 'room_full'];

/** One stay in a room, over any number of sockets: it notices a dead one within two seconds and comes back. */
export class Connection extends Emitter<ConnectionEvents> {
  readonly #options: ConnectionOptions;
  readonly #requests = new RequestQueue();
  #place: JoinPlaceReply | undefined;
  #socket: OpenSocket | undefined;
  #session: { token: string; path: string; iceServers: IceServer[] } | undefined;
  #seq = 0;
  #snapshotSeq = 0;
  #state: ConnectionState = 'connecting';
  #attempts = 0;
  #wake: () => void = () => {};

  constructor(options: ConnectionOptions) {
    super();
    this.#options = options;
    this.#place = options.place;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Survives a reload: `JoinPlace.resumeToken` of the next page. */
  get sessionToken(): string | undefined {
    return this.#session?.token;
  }

  /** Resolves after the first welcome; rejects with the reason when the first attempts fail. */
  async start(): Promise<void> {
    try {
      await this.#attempt();
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.code !== 'unreachable') throw failure;
      // The second attempt begins with long-polling.
      await this.#attempt();
    }
    globalThis.addEventListener?.('online', this.#online);
    globalThis.addEventListener?.('pagehide', this.#pageHides);
  }

  request<E extends RequestEvent>(event: E, data: RequestData<E>): Promise<RequestReply<E>> {
    if (this.#state === 'ended') return Promise.reject(new Failure('closed', 'the meeting is over'));
    return this.#requests.request(event, data);
  }

  /** Closes for good, without telling the server; `leave` is a request. */
  close(): void {
    this.#end(new Failure('closed', 'left'));
  }

  async #attempt(): Promise<void> {
    this.#attempts += 1;
    const resumed = this.#session !== undefined;
    const place = this.#session ?? (await this.#nextPlace());
    const listener: SocketListener = {
      notified: (event, data) => this.#notified(event, data),
      lost: () => this.#lost(),
    };
    const pollingFirst = this.#attempts % 2 === 0;
    const auth = resumed
      ? { token: place.token, resume: { seq: this.#seq } }
      : { token: place.token, join: this.#options.join };
    const socket = await openSocket({ url: this.#options.origin, path: place.path, auth, pollingFirst }, listener);
    if (this.#state === 'ended') {
      socket.close();
      return;
    }
    const { welcome } = socket;
    const iceServers = place.iceServers;
    this.#socket = socket;
    this.#session = { token: welcome.sessionToken, path: place.path, iceServers };
    this.#place = undefined;
    this.#seq = welcome.room.seq;
    this.#snapshotSeq = welcome.room.seq;
    this.#attempts = 0;
    this.emit('welcome', { welcome, resumed, iceServers });
    this.#setState('connected');
    this.#requests.open(socket.send);
  }

  async #nextPlace(): Promise<JoinPlaceReply> {
    this.#place ??= await joinPlace(this.#options.origin, this.#options.room, {});
    return this.#place;
  }

  #notified<E extends NotificationEvent>(event: E, data: NotificationMap[E]): void {
    if (event === 'sessionEnded') {
      const { reason } = data as NotificationMap['sessionEnded'];
      if (FINAL_REASONS.includes(reason)) this.#end(new Failure(reason, 'the server ended this session'));
      else if (SESSION_GONE.includes(reason)) this.#forgetSession();
      return;
    }
    if ('seq' in data) {
      // What the snapshot holds already. Numbers may repeat (one event can change several things) and jump (members
      // see nothing of some events); that nothing is missed is the socket's doing, which is ordered and closes when
      // the server had to drop something.
      if (data.seq <= this.#snapshotSeq) return;
      this.#seq = data.seq;
    }
    this.emit('notification', { event, data } as ConnectionEvents['notification']);
  }

  #lost(): void {
    this.#socket = undefined;
    this.#requests.hold();
    if (this.#state !== 'connected') return;
    this.#setState('reconnecting');
    void this.#comeBack();
  }

  async #comeBack(): Promise<void> {
    while (this.#state === 'reconnecting') {
      await this.#pause(RECONNECT_DELAYS_MS[Math.min(this.#attempts, RECONNECT_DELAYS_MS.length - 1)] ?? 0);
      if (this.#state !== 'reconnecting') return;
      try {
        await this.#attempt();
      } catch (thrown) {
        this.#refused(Failure.from(thrown));
      }
    }
  }

  #refused(failure: Failure): void {
    this.#place = undefined;
    if (failure.code === 'draining') {
      this.#end(failure);
      return;
    }
    if (failure.retryable) return;
    const resuming = this.#session !== undefined;
    if (failure.code === 'superseded' || !resuming) {
      // A fresh token can be too old when the machine slept between the two requests.
      if (failure.code !== 'unauthorized') this.#end(failure);
    } else if (failure.code === 'forbidden' || failure.code === 'room_full') {
      this.#end(failure);
    } else {
      this.#forgetSession();
    }
  }

  /** The next attempt joins anew, as a new participant. */
  #forgetSession(): void {
    this.#session = undefined;
    this.#seq = 0;
    this.#requests.reset(new Failure('closed', 'the session expired'));
  }

  #end(failure: Failure): void {
    if (this.#state === 'ended') return;
    globalThis.removeEventListener?.('online', this.#online);
    globalThis.removeEventListener?.('pagehide', this.#pageHides);
    this.#setState('ended');
    this.#socket?.close();
    this.#socket = undefined;
    this.#requests.reset(failure);
    this.#wake();
    this.emit('ended', failure);
  }

  #setState(state: ConnectionState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.emit('state', state);
  }

  /** Waits, with a little chance so that a room does not return in one instant, or until the network is back. */
  #pause(delay: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay * (0.75 + Math.random() / 2));
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  readonly #online = (): void => this.#wake();

  /** A page that the browser keeps to come back to has only lost its socket. */
  readonly #pageHides = ({ persisted }: PageTransitionEvent): void => {
    if (!persisted) this.#socket?.closing();
  };
}
