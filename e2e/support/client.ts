import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';

export interface ErrorBody {
  code: string;
  message: string;
  retryable: boolean;
}

export type Ack = { ok: true; data: Record<string, unknown> } | { ok: false; error: ErrorBody };

interface Place {
  path: string;
  token: string;
  routerRtpCapabilities: unknown;
}

interface Welcome {
  participantId: string;
  sessionToken: string;
  sendTransport: { id: string };
  recvTransport: { id: string };
}

/** What the first step of joining answers. */
export async function askPlace(server: string, room: string, body: unknown = {}): Promise<Response> {
  return fetch(new URL(`/api/v1/rooms/${room}/join`, server), {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
}

/** A client of the protocol without media, to say what no page would. */
export class Client {
  #requests = 0;

  private constructor(
    readonly socket: Socket,
    readonly welcome: Welcome,
  ) {}

  static async join(server: string, room: string, name: string): Promise<Client> {
    const place = (await (await askPlace(server, room)).json()) as Place;
    return Client.connect(server, place.path, {
      token: place.token,
      join: { name, rtpCapabilities: place.routerRtpCapabilities },
    });
  }

  /** Rejects with the server's error body when it refuses. */
  static async connect(server: string, path: string, auth: object): Promise<Client> {
    const socket = open(server, path, auth);
    return new Promise((resolve, reject) => {
      socket.once('connect_error', reject);
      socket.once('welcome', (answer: Ack) => {
        if (answer.ok) {
          resolve(new Client(socket, answer.data as unknown as Welcome));
        } else {
          socket.disconnect();
          reject(answer.error);
        }
      });
    });
  }

  async request(event: string, data?: unknown): Promise<Ack> {
    this.#requests += 1;
    return this.send(event, { n: this.#requests, data });
  }

  /** Sends the arguments as they are. */
  async send(event: string, ...args: unknown[]): Promise<Ack> {
    return (await this.socket.timeout(5_000).emitWithAck(event, ...args)) as Ack;
  }

  /** Leaves for good; resolves when the server has closed the socket. */
  async leave(): Promise<void> {
    const closed = new Promise((resolve) => this.socket.once('disconnect', resolve));
    await this.request('leave');
    await closed;
  }
}

/** A socket that nobody has welcomed. */
export function open(server: string, path: string, auth: object): Socket {
  const options: Partial<ManagerOptions & SocketOptions> = { path, transports: ['websocket'], reconnection: false, forceNew: true };
  return io(server, { ...options, auth });
}
