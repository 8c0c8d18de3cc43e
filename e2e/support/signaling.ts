// A client written from docs/signaling.md alone: nothing here comes from web/ or crates/.
import { expect } from '@playwright/test';
import { io, type Socket } from 'socket.io-client';

export type Json = Record<string, unknown>;
export type Transport = 'polling' | 'websocket';

export interface Failed {
  code: string;
  message: string;
  retryable: boolean;
}

export type Answer<T = Json> = { ok: true; data: T } | { ok: false; error: Failed };

export interface Place {
  node: string;
  path: string;
  token: string;
  routerRtpCapabilities: { codecs: Json[]; headerExtensions: Json[] };
  iceServers: Json[];
}

export interface TransportOptions {
  id: string;
  iceParameters: { usernameFragment: string; password: string; iceLite: boolean };
  iceCandidates: Json[];
  dtlsParameters: { role: string; fingerprints: Json[] };
}

export interface Welcome {
  participantId: string;
  sessionToken: string;
  room: {
    roomId: string;
    seq: number;
    participants: { id: string; name: string; producers: Json[] }[];
    videoCodecs: string[];
  };
  sendTransport?: TransportOptions;
  recvTransport?: TransportOptions;
}

/** `POST /api/v1/rooms/{room}/join`. */
export async function askForPlace(origin: string, room: string, body: BodyInit | null = '{}', headers = {}) {
  return post<Place>(new URL(`/api/v1/rooms/${room}/join`, origin), body, headers);
}

/** `POST /api/v1/rooms/{room}/resume`. */
export async function askForReturn(origin: string, room: string, token: string, avoid: string[] = []) {
  const url = new URL(`/api/v1/rooms/${room}/resume`, origin);
  return post<Pick<Place, 'node' | 'path' | 'iceServers'>>(url, JSON.stringify({ token, avoid }));
}

async function post<T>(url: URL, body: BodyInit | null, headers = {}) {
  // A connection that is kept would be one of the descriptors that tests count.
  const response = await fetch(url, { method: 'POST', body, headers: { connection: 'close', ...headers } });
  return { status: response.status, headers: response.headers, body: (await response.json()) as T & Failed };
}

/** One socket of a session. */
export class SignalingClient {
  /** Everything that the server emitted but the welcome: `[event, argument]`. */
  readonly notifications: [string, Json][] = [];
  welcome!: Welcome;
  /** What this client can receive. */
  private rtpCapabilities: Json | undefined;

  private constructor(
    readonly socket: Socket,
    readonly path: string,
    /** The session's requests so far. */
    public n = 0,
  ) {
    socket.onAny((event: string, data: Json) => {
      if (event !== 'welcome') this.notifications.push([event, data]);
    });
  }

  /** The whole way in. */
  static async join(
    origin: string,
    room: string,
    name: string,
    options: { resumeToken?: string; by?: Transport; lacks?: string } = {},
  ) {
    const { resumeToken, by = 'websocket', lacks } = options;
    const { body: place } = await askForPlace(origin, room, JSON.stringify(resumeToken ? { resumeToken } : {}));
    const { codecs, headerExtensions } = place.routerRtpCapabilities;
    const rtpCapabilities = { codecs: codecs.filter(({ mimeType }) => mimeType !== lacks), headerExtensions };
    const auth = { token: place.token, join: { name, rtpCapabilities } };
    const client = await SignalingClient.connect(origin, place.path, auth, by);
    client.rtpCapabilities = rtpCapabilities;
    return client;
  }

  static async connect(origin: string, path: string, auth: Json, by: Transport = 'websocket', n = 0) {
    const client = new SignalingClient(open(origin, path, auth, by), path, n);
    const answer = await client.welcomed<Welcome>();
    if (!answer.ok) throw new Error(answer.error.code);
    client.welcome = answer.data;
    return client;
  }

  /** Tries to connect, and says why the server did not want it, after it closed the socket. */
  static async refused(origin: string, path: string, auth: Json): Promise<Failed> {
    const client = new SignalingClient(open(origin, path, auth, 'websocket'), path);
    const answer = await client.welcomed();
    await client.isClosed();
    if (answer.ok) throw new Error('welcome');
    return answer.error;
  }

  /** The same session on a new socket, perhaps at the path of another node. */
  async resume(token = this.welcome.sessionToken, path = this.path): Promise<SignalingClient> {
    const { rtpCapabilities } = this;
    const auth = { token, resume: { seq: this.seq, rtpCapabilities } };
    const client = await SignalingClient.connect(this.origin, path, auth, 'websocket', this.n);
    client.rtpCapabilities = rtpCapabilities;
    return client;
  }

  /** The highest number seen. */
  get seq(): number {
    return Math.max(this.welcome.room.seq, ...this.notifications.map(([, { seq }]) => (seq as number) ?? 0));
  }

  get origin(): string {
    return (this.socket.io as unknown as { uri: string }).uri;
  }

  /** Sends any event and gives its acknowledgement. */
  async emit<T = Json>(event: string, ...args: unknown[]): Promise<Answer<T>> {
    return (await this.socket.timeout(5_000).emitWithAck(event, ...args)) as Answer<T>;
  }

  /** Carries out a request; fails where it is refused. */
  async request<T = Json>(event: string, data: Json, n = (this.n += 1)): Promise<T> {
    const answer = await this.emit<T>(event, { n, data });
    expect(answer, event).toMatchObject({ ok: true });
    return (answer as { data: T }).data;
  }

  /** Sends a request that is refused, and says by which code. */
  async refusal(event: string, data: Json, n = (this.n += 1)): Promise<string> {
    return refusalIn(await this.emit(event, { n, data }));
  }

  /** Waits until the server has notified this. */
  async hears(event: string, fields: Json): Promise<void> {
    await expect.poll(() => this.notifications).toContainEqual([event, expect.objectContaining(fields)]);
  }

  heard(event: string): Json[] {
    return this.notifications.filter(([name]) => name === event).map(([, data]) => data);
  }

  async isClosed(): Promise<void> {
    await expect.poll(() => this.socket.connected).toBe(false);
  }

  /** Without a word, as when the network goes. */
  breakSocket(): void {
    this.socket.io.engine.close();
  }

  private welcomed<T>(): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      this.socket.once('welcome', resolve);
      this.socket.once('connect_error', reject);
    });
  }
}

export function refusalIn(answer: Answer<unknown>): string {
  expect(answer).toEqual({
    ok: false,
    error: { code: expect.any(String), message: expect.any(String), retryable: expect.any(Boolean) },
  });
  return (answer as { error: Failed }).error.code;
}

function open(origin: string, path: string, auth: Json, by: Transport): Socket {
  return io(origin, { path, auth, transports: [by], reconnection: false, forceNew: true });
}

/** What a browser's microphone sends, in the shape of `rtpParameters`. */
export function microphone(ssrc: number): Json {
  return {
    mid: '0',
    codecs: [
      {
        mimeType: 'audio/opus',
        payloadType: 111,
        clockRate: 48_000,
        channels: 2,
        parameters: { minptime: 10, useinbandfec: 1 },
        rtcpFeedback: [{ type: 'transport-cc', parameter: '' }],
      },
    ],
    headerExtensions: [{ uri: 'urn:ietf:params:rtp-hdrext:sdes:mid', id: 4, encrypt: false, parameters: {} }],
    encodings: [{ ssrc, dtx: true }],
    rtcp: { cname: 'a-cname', reducedSize: true },
  };
}

/** A client's side of DTLS. Any certificate's hash does, as nothing connects by it. */
export const DTLS = { role: 'client', fingerprints: [{ algorithm: 'sha-256', value: Array(32).fill('AB').join(':') }] };
