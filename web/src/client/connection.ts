import { firstWelcome, type Welcomed } from './attempts';
import { Emitter } from './emitter';
import { Failure, type FailureCode } from './failure';
import { resumePlace } from './join-place';
import { JoinPlaces } from './join-places';
import type {
  ConnectAuth,
  IceServer,
  Join,
  JoinPlaceReply,
  NotificationEvent,
  NotificationMap,
  RequestData,
  RequestEvent,
  RequestReply,
  ResumePlaceReply,
  Welcome,
} from './protocol';
import { type RequestOptions, RequestQueue } from './request-queue';
import { type OpenSocket, openSocket } from './socket';

export type ConnectionState = 'connecting' | 'waiting' | 'connected' | 'reconnecting' | 'ended';

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
  /** What that place was asked for with. */
  resumeToken?: string | undefined;
}

interface Session {
  token: string;
  place: ResumePlaceReply;
  /** It was welcomed, and does not wait to be let in. */
  isIn: boolean;
  /** The node said that it goes down, and is not worth an attempt. */
  goingDown?: Failure;
  /** Another node was asked to go on with it and gave no answer: it may have it. */
  mayBeElsewhere?: boolean;
}

interface Opening {
  /** There is, or was a moment ago, another attempt. */
  beside?: boolean;
  signal?: AbortSignal;
}

const RECONNECT_DELAYS_MS = [0, 250, 500, 1_000, 2_000];
const SESSION_GONE: FailureCode[] = ['session_expired', 'unauthorized', 'not_joined', 'not_found'];
/** Reasons of `sessionEnded` after which this connection does not come back. */
const FINAL_REASONS: FailureCode[] = [
  'superseded',
  'forbidden',
  'room_full',
  'room_locked',
  'removed',
  'denied',
  'meeting_ended',
];
/** How long the node to which we go on has to welcome us once the one before is gone. */
const LAST_WORD_MS_MAX = 1_000;
/** For how long a refusal is doubted while a node that may hold the session does not answer: until then the others
 *  have declared that node lost, and any of them takes the session back. */
const DOUBT_MS_MAX = 13_000;

/** One stay in a room, over any number of sockets: it notices a dead one within two seconds and comes back. */
export class Connection extends Emitter<ConnectionEvents> {
  readonly #options: ConnectionOptions;
  readonly #places: JoinPlaces;
  readonly #requests = new RequestQueue();
  #socket: OpenSocket | undefined;
  #session: Session | undefined;
  #seq = 0;
  #snapshotSeq = 0;
  #state: ConnectionState = 'connecting';
  #attempts = 0;
  #doubtedAt: number | undefined;
  /** While we go on at another node: whether the socket of before was lost, which counts only if that comes to nothing. */
  #moving: { lost: boolean; abort: AbortController } | undefined;
  #wake: () => void = () => {};

  constructor(options: ConnectionOptions) {
    super();
    this.#options = options;
    this.#places = new JoinPlaces(options.origin, options.room, options.place, options.resumeToken);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Survives a reload: `JoinPlace.resumeToken` of the next page. */
  get sessionToken(): string | undefined {
    return this.#session?.token;
  }

  /** Resolves after the first welcome, however long that is waited for; rejects with the reason when the first attempts
   *  fail, or nobody lets us in. */
  async start(): Promise<void> {
    try {
      await this.#attempt();
    } catch (thrown) {
      const failure = Failure.from(thrown);
      if (failure.code !== 'unreachable') throw failure;
      // The second attempt begins with long-polling, at another node if there is one.
      await this.#attempt();
    }
    globalThis.addEventListener?.('online', this.#online);
    globalThis.addEventListener?.('pagehide', this.#pageHides);
    if (this.#state === 'waiting') await this.#letIn();
  }

  /** Whether it was welcomed. */
  get isIn(): boolean {
    return this.#session?.isIn ?? false;
  }

  /** Gives up to wait to be let in. */
  giveUp(): void {
    if (this.#state === 'waiting') this.#socket?.send('leave', { n: 1 }, () => {});
    if (!this.#session?.isIn) this.close();
  }

  request<E extends RequestEvent>(event: E, data: RequestData<E>, options?: RequestOptions): Promise<RequestReply<E>> {
    if (this.#state === 'ended') return Promise.reject(new Failure('closed', 'the meeting is over'));
    return this.#requests.request(event, data, options);
  }

  /** Closes for good, without telling the server; `leave` is a request. */
  close(): void {
    this.#end(new Failure('closed', 'left'));
  }

  async #attempt(): Promise<void> {
    this.#attempts += 1;
    const resumed = this.#session?.isIn ?? false;
    const welcomed = await (this.#session ? this.#resume(this.#session) : this.#join());
    if (this.#state === 'ended') {
      // Given up meanwhile: whoever was let in is not to stand there until the grace time is over.
      if (!resumed) welcomed.socket.send('leave', { n: 1 }, () => {});
      welcomed.socket.close();
      throw new Failure('closed', 'left');
    }
    this.#enter(welcomed, resumed);
  }

  #letIn(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.on('welcome', () => resolve());
      this.on('ended', reject);
    });
  }

  #enter({ place, socket }: Welcomed, resumed: boolean): void {
    const { node, path, iceServers } = place;
    const { opening } = socket;
    const isIn = 'welcome' in opening;
    const token = isIn ? opening.welcome.sessionToken : opening.waiting.sessionToken;
    this.#socket = socket;
    this.#session = { token, place: { node, path, iceServers }, isIn };
    this.#places.entered();
    this.#attempts = 0;
    this.#doubtedAt = undefined;
    if (isIn) this.#welcomed(socket, opening.welcome, iceServers, resumed);
    else this.#setState('waiting');
    socket.listen({
      welcomed: (welcome) => {
        if (this.#socket !== socket) return;
        this.#session = { token: welcome.sessionToken, place: { node, path, iceServers }, isIn: true };
        this.#welcomed(socket, welcome, iceServers, false);
      },
      notified: (event, data) => this.#notified(event, data),
      lost: () => this.#lost(socket),
    });
  }

  #welcomed(socket: OpenSocket, welcome: Welcome, iceServers: IceServer[], resumed: boolean): void {
    this.#seq = welcome.room.seq;
    this.#snapshotSeq = welcome.room.seq;
    this.emit('welcome', { welcome, resumed, iceServers });
    this.#setState('connected');
    this.#requests.open(socket.send);
  }

  /**
   * Goes on at another node while this one still serves us: this socket is given up once the other has welcomed us.
   * Where there is no other, or it does not take us, everything stays as it is.
   */
  async #move(): Promise<void> {
    const socket = this.#socket;
    const session = this.#session;
    if (!socket || !session || this.#moving) return;
    const moving = { lost: false, abort: new AbortController() };
    this.#moving = moving;
    const { origin, room } = this.#options;
    const { token } = session;
    try {
      const place = await resumePlace(origin, room, { token, avoid: [session.place.node] });
      if (this.#socket !== socket || place.node === session.place.node) return;
      // From here on the session may be there and not here.
      this.#requests.hold();
      session.mayBeElsewhere = true;
      const { signal } = moving.abort;
      const next = await this.#open(place.path, this.#resumeAuth(token), { beside: true, signal });
      if (this.#state === 'ended') {
        next.close();
        return;
      }
      socket.close();
      // Its node may go down too, and say so at once.
      this.#moving = undefined;
      this.#enter({ place, socket: next }, session.isIn);
    } catch {
      if (this.#socket === socket && !moving.lost && session.isIn) this.#requests.open(socket.send);
    } finally {
      if (this.#moving === moving) this.#moving = undefined;
      if (moving.lost) this.#lost(socket);
    }
  }

  #resumeAuth(token: string): ConnectAuth {
    const { name: _, ...client } = this.#options.join;
    return { token, resume: { seq: this.#seq, ...client } };
  }

  #resume({ token, place, goingDown }: Session): Promise<Welcomed> {
    const auth = this.#resumeAuth(token);
    return firstWelcome({
      first: place,
      open: async (at, signal) => {
        if (at !== place) return this.#open(at.path, auth, { beside: true, signal });
        if (goingDown) throw goingDown;
        return this.#open(at.path, auth, { signal });
      },
      elsewhere: (avoid) => resumePlace(this.#options.origin, this.#options.room, { token, avoid }),
    });
  }

  async #join(): Promise<Welcomed> {
    const place = await this.#places.next();
    try {
      return { place, socket: await this.#open(place.path, { token: place.token, join: this.#options.join }) };
    } catch (thrown) {
      const failure = Failure.from(thrown);
      this.#places.failed(place, failure);
      // Whether another node takes us is for the next join call to say.
      throw failure.code === 'draining' ? new Failure('unreachable', failure.message, true) : failure;
    }
  }

  #open(path: string, auth: ConnectAuth, { beside = false, signal }: Opening = {}): Promise<OpenSocket> {
    // Browsers open one WebSocket to an address after the other, and behind a proxy all nodes have one address: the
    // WebSocket to a frozen node would hold up the others (Chromium), one that was refused delays the next (Firefox).
    const pollingFirst = beside || this.#attempts % 2 === 0;
    return openSocket({ url: this.#options.origin, path, auth, pollingFirst, signal });
  }

  #notified<E extends NotificationEvent>(event: E, data: NotificationMap[E]): void {
    if (event === 'moveRequested') {
      void this.#move();
      return;
    }
    if (event === 'sessionEnded') {
      if (
        this.#session &&
        (this.#moving ||
          (this.#session.mayBeElsewhere && (data as NotificationMap['sessionEnded']).reason === 'superseded'))
      ) {
        // Most likely because the other node has us. If not, this one is not worth an attempt either.
        this.#session.goingDown = new Failure('draining', 'the node goes down', true);
        return;
      }
      const { reason } = data as NotificationMap['sessionEnded'];
      const failure = new Failure(reason, 'the server ended this session', reason === 'draining');
      if (FINAL_REASONS.includes(reason)) this.#end(failure);
      else if (reason === 'draining' && this.#session) this.#session.goingDown = failure;
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

  #lost(socket: OpenSocket): void {
    if (this.#socket !== socket) return;
    if (this.#moving) {
      // Most likely because the other node has us: it has a moment to say so.
      this.#moving.lost = true;
      const { abort } = this.#moving;
      setTimeout(() => abort.abort(), LAST_WORD_MS_MAX);
      return;
    }
    this.#socket = undefined;
    this.#requests.hold();
    if (this.#state !== 'connected' && this.#state !== 'waiting') return;
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
    const { code, retryable } = failure;
    if (code === 'draining') {
      this.#end(failure);
      return;
    }
    // That one of these is worth another attempt means that it is in doubt.
    const refused = SESSION_GONE.includes(code) || FINAL_REASONS.includes(code);
    if (refused) this.#doubtedAt ??= Date.now();
    if (retryable && !(refused && Date.now() - (this.#doubtedAt ?? 0) >= DOUBT_MS_MAX)) return;
    const resuming = this.#session !== undefined;
    if (code === 'superseded' || !resuming) {
      // A fresh token can be too old when the machine slept between the two requests.
      if (code !== 'unauthorized') this.#end(failure);
    } else if (FINAL_REASONS.includes(code)) {
      this.#end(failure);
    } else {
      this.#forgetSession();
    }
  }

  /** The next attempt joins anew, as a new participant. */
  #forgetSession(): void {
    this.#session = undefined;
    this.#seq = 0;
    this.#doubtedAt = undefined;
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
