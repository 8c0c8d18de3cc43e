import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** The kind of frame that ends a WebSocket (RFC 6455, section 5.2). */
const CLOSE = 8;

/** What a stand-in does with a request once it has read it. */
export type Behaviour = 'answer' | 'refuse' | 'freeze' | 'break';

/** A request as it came in; the path is as it was on the wire. */
export interface Seen {
  method: string;
  path: string;
  headers: NodeJS.Dict<string | string[]>;
}

/** Stands in for a node behind Nginx: says what it saw, and misbehaves when told to. */
export class StandIn {
  readonly seen: Seen[] = [];
  /** `refuse` is a 503, `freeze` never answers, `break` closes the connection. */
  behaviour: Behaviour = 'answer';
  /** How many were ever opened to it. */
  connections = 0;
  #server: Server | undefined;
  #sockets = new Set<Duplex>();

  private constructor(
    readonly id: string,
    public port: number,
  ) {}

  static async start(id: string): Promise<StandIn> {
    const node = new StandIn(id, 0);
    await node.startAgain();
    return node;
  }

  async startAgain(): Promise<void> {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.on('upgrade', (request, socket) => this.#echo(request, socket));
    server.on('connection', (socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** As when its process is killed: connections are reset, and new ones refused. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#note(request);
    for await (const _ of request);
    switch (this.behaviour) {
      case 'answer':
        response.setHeader('content-type', 'application/json').end(JSON.stringify({ node: this.id }));
        break;
      case 'refuse':
        response
          .writeHead(503, { 'content-type': 'application/json' })
          .end(JSON.stringify({ code: 'log_unavailable' }));
        break;
      case 'break':
        request.socket.destroy();
        break;
      case 'freeze':
        break;
    }
  }

  #note(request: IncomingMessage): void {
    this.seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers });
  }

  /** A WebSocket that sends back what it gets, in messages of less than 126 bytes, and closes after a close. */
  #echo(request: IncomingMessage, socket: Duplex): void {
    this.#note(request);
    const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on('error', () => socket.destroy());
    let rest = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      // Two bytes of head, four of mask, the message.
      while (rest.length >= 6 && rest.length >= 6 + (rest.readUInt8(1) & 0x7f)) {
        const length = rest.readUInt8(1) & 0x7f;
        const mask = rest.subarray(2, 6);
        const message = rest.subarray(6, 6 + length).map((byte, at) => byte ^ mask.readUInt8(at % 4));
        socket.write(Buffer.concat([Buffer.from([rest.readUInt8(0), length]), message]));
        if ((rest.readUInt8(0) & 0x0f) === CLOSE) socket.end();
        rest = rest.subarray(6 + length);
      }
    });
  }
}
