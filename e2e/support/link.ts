import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { createServer, type Server, type Socket, connect, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import type { Page } from '@playwright/test';

export type Direction = 'up' | 'down';

/** What becomes of a datagram: the delay in ms with which it is delivered, or `lost`. */
export type Shape = (datagram: Buffer, direction: Direction) => number | 'lost';

const HOST = '127.0.0.1';

/** One person's way to the server, made of sockets of the test's own, so that it can be cut, slow or lossy without
 *  touching the machine or anybody else: TCP by a SOCKS proxy that the browser is told of, UDP by relays that take
 *  the place of the server's media addresses. */
export class Link {
  /** Nothing is lost or late unless a test says so. */
  shape: Shape = () => 0;
  #cut: 'no' | 'refusing' | 'hanging' = 'no';
  readonly #connections = new Set<Socket>();
  readonly #relays = new Map<string, Promise<Relay>>();

  private constructor(private readonly proxy: Server) {
    proxy.on('connection', (socket) => this.#accept(socket));
  }

  static async open(): Promise<Link> {
    const proxy = createServer({ pauseOnConnect: true }).listen(0, HOST);
    await once(proxy, 'listening');
    return new Link(proxy);
  }

  /** The proxy, as a browser's setting. */
  get proxyUrl(): string {
    return `socks5://${HOST}:${(this.proxy.address() as AddressInfo).port}`;
  }

  /** Leads the media of a page that is not open yet through this link. */
  async leadMediaOf(page: Page): Promise<void> {
    await page.exposeFunction('relayOf', (address: string, port: number) => this.#relay(address, port));
    await page.addInitScript(useRelays);
  }

  /** Breaks what TCP carries now, and refuses new connections. */
  refuseTcp(): void {
    this.#cut = 'refusing';
    for (const socket of this.#connections) socket.destroy();
  }

  /** TCP carries nothing any more, and says nothing: as when the network is gone. */
  hangTcp(): void {
    this.#cut = 'hanging';
    for (const socket of this.#connections) socket.pause();
  }

  mendTcp(): void {
    this.#cut = 'no';
    for (const socket of this.#connections) socket.resume();
  }

  async close(): Promise<void> {
    this.proxy.close();
    for (const socket of this.#connections) socket.destroy();
    for (const relay of this.#relays.values()) (await relay).close();
  }

  #accept(client: Socket): void {
    if (this.#cut === 'refusing') {
      client.resetAndDestroy();
      return;
    }
    this.#keep(client);
    void greet(client).then((target) => {
      if (!target) return client.destroy();
      const server = connect(target);
      this.#keep(server);
      client.pipe(server).pipe(client);
      if (this.#cut === 'hanging') client.pause();
      client.once('close', () => server.destroy());
      server.once('close', () => client.destroy());
      return undefined;
    });
    if (this.#cut === 'no') client.resume();
  }

  #keep(socket: Socket): void {
    this.#connections.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => this.#connections.delete(socket));
  }

  async #relay(address: string, port: number): Promise<number> {
    const key = `${address} ${port}`;
    const relay = this.#relays.get(key) ?? Relay.open(address, port, (...packet) => this.shape(...packet));
    this.#relays.set(key, relay);
    return (await relay).port;
  }
}

/** The server's side of a SOCKS5 greeting (RFC 1928) without authentication; where to connect to. */
async function greet(client: Socket): Promise<{ host: string; port: number } | undefined> {
  const next = async (): Promise<Buffer> => ((await once(client, 'data')) as [Buffer])[0];
  try {
    await next();
    client.write(Buffer.from([5, 0]));
    const request = await next();
    client.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
    const [, , , kind = 0, first = 0] = request;
    const port = request.readUInt16BE(request.length - 2);
    if (kind === 1) return { host: request.subarray(4, 8).join('.'), port };
    return kind === 3 ? { host: request.subarray(5, 5 + first).toString(), port } : undefined;
  } catch {
    return undefined;
  }
}

/** Stands in for one media address of the server. Each of the page's ports has a port of its own towards the
 *  server, so that the server can tell them apart. */
class Relay {
  readonly #upstreams = new Map<string, UdpSocket>();

  private constructor(
    private readonly socket: UdpSocket,
    address: string,
    port: number,
    shape: Shape,
  ) {
    socket.on('message', (datagram, from) => {
      const upstream = this.#upstream(`${from.address} ${from.port}`, address, (reply) =>
        pass(shape(reply, 'down'), () => socket.send(reply, from.port, from.address)),
      );
      pass(shape(datagram, 'up'), () => upstream.send(datagram, port, address));
    });
  }

  static async open(address: string, port: number, shape: Shape): Promise<Relay> {
    const socket = createSocket('udp4').bind(0, HOST);
    await once(socket, 'listening');
    return new Relay(socket, address, port, shape);
  }

  get port(): number {
    return this.socket.address().port;
  }

  close(): void {
    this.socket.close();
    for (const upstream of this.#upstreams.values()) upstream.close();
  }

  #upstream(key: string, address: string, reply: (datagram: Buffer) => void): UdpSocket {
    const known = this.#upstreams.get(key);
    if (known) return known;
    const upstream = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    upstream.on('message', reply);
    this.#upstreams.set(key, upstream);
    return upstream;
  }
}

function pass(fate: number | 'lost', deliver: () => void): void {
  if (fate === 0) deliver();
  else if (fate !== 'lost') setTimeout(ignoringClosed(deliver), fate);
}

/** A late datagram may find its socket closed, at the end of a test. */
function ignoringClosed(deliver: () => void): () => void {
  return () => {
    try {
      deliver();
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ERR_SOCKET_DGRAM_NOT_RUNNING') throw thrown;
    }
  };
}

/** Runs in the page: where the server says which addresses it has, their relays are put. */
function useRelays(): void {
  const { relayOf } = globalThis as unknown as { relayOf(address: string, port: number): Promise<number> };
  const original = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description: RTCSessionDescriptionInit) {
    // By TCP, media would go around the relays.
    let sdp = (description.sdp ?? '').replaceAll(/^a=candidate:\S+ \d+ tcp .*\r?\n/gm, '');
    for (const [, address = '', port = ''] of sdp.matchAll(/^a=candidate:\S+ \d+ udp \d+ (\S+) (\d+) typ host/gm)) {
      sdp = sdp.replaceAll(
        ` ${address} ${port} typ host`,
        ` 127.0.0.1 ${await relayOf(address, Number(port))} typ host`,
      );
    }
    return Reflect.apply(original, this, [{ type: description.type, sdp }]) as Promise<void>;
  };
}

/** Loses `share` of the datagrams each way, the same ones for the same seed. */
export function losing(share: number, seed = 1): Shape {
  let state = seed;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32 < share ? 'lost' : 0;
  };
}
