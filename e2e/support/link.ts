import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import type { Page } from '@playwright/test';

export type Direction = 'up' | 'down';

/** What becomes of a datagram: the delay in ms with which it is delivered, or `lost`. */
export type Shape = (datagram: Buffer, direction: Direction) => number | 'lost';

const HOST = '127.0.0.1';
/** Another address of this machine. */
const OTHER_HOST = '127.0.0.2';
const IP_UDP_BYTES = 28;

/** One person's way to the server, made of sockets of the test's own, so that it can be cut, slow or lossy without
 *  touching the machine or anybody else: TCP by a SOCKS proxy that the browser is told of, UDP by relays that take
 *  the place of the server's media addresses. */
export class Link {
  /** Nothing is lost or late unless a test says so. */
  shape: Shape = () => 0;
  #cut: 'no' | 'refusing' | 'hanging' = 'no';
  #udp = true;
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

  /** Lets no UDP through, so that media takes the proxy. To be called before anybody uses the link. */
  blockUdp(): void {
    this.#udp = false;
    this.shape = () => 'lost';
  }

  /** Goes on from another address and other ports, as who goes from Wi-Fi to mobile does. */
  async moveUdp(): Promise<void> {
    for (const relay of this.#relays.values()) (await relay).move();
  }

  /** Leads the media of a page that is not open yet through this link. */
  async leadMediaOf(page: Page): Promise<void> {
    await page.exposeFunction('relayOf', (address: string, port: number) => this.#relay(address, port));
    await page.addInitScript(useRelays, { tcp: !this.#udp });
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
  readonly #schedule = new Schedule();
  #moved = false;

  private constructor(
    private readonly socket: UdpSocket,
    address: string,
    port: number,
    shape: Shape,
  ) {
    socket.on('message', (datagram, from) => {
      const reply = (answer: Buffer) =>
        this.#schedule.add(shape(answer, 'down'), () => socket.send(answer, from.port, from.address));
      this.#schedule.add(shape(datagram, 'up'), () =>
        this.#upstream(`${from.address} ${from.port}`, address, reply).send(datagram, port, address),
      );
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

  /** Sends to the server from other sockets from now on; what comes to the old ones is lost. */
  move(): void {
    this.#moved = true;
    for (const upstream of this.#upstreams.values()) upstream.close();
    this.#upstreams.clear();
  }

  close(): void {
    this.#schedule.clear();
    this.socket.close();
    for (const upstream of this.#upstreams.values()) upstream.close();
  }

  #upstream(key: string, address: string, reply: (datagram: Buffer) => void): UdpSocket {
    const known = this.#upstreams.get(key);
    if (known) return known;
    const v6 = address.includes(':');
    const upstream = createSocket(v6 ? 'udp6' : 'udp4');
    if (this.#moved && !v6) upstream.bind(0, OTHER_HOST);
    upstream.on('message', reply);
    this.#upstreams.set(key, upstream);
    return upstream;
  }
}

/** What is under way, delivered when it is due, and of what is due at the same time what came first. */
class Schedule {
  #due: { at: number; deliver: () => void }[] = [];
  #timer: NodeJS.Timeout | undefined;

  add(fate: number | 'lost', deliver: () => void): void {
    if (fate === 0) deliver();
    if (fate === 0 || fate === 'lost') return;
    const at = performance.now() + fate;
    const after = this.#due.findLastIndex((other) => other.at <= at);
    this.#due.splice(after + 1, 0, { at, deliver });
    if (after === -1) this.#wake();
  }

  clear(): void {
    this.#due = [];
    clearTimeout(this.#timer);
  }

  #wake(): void {
    clearTimeout(this.#timer);
    const [next] = this.#due;
    if (next) this.#timer = setTimeout(() => this.#deliver(), next.at - performance.now());
  }

  #deliver(): void {
    const now = performance.now();
    const later = this.#due.findIndex(({ at }) => at > now);
    for (const { deliver } of this.#due.splice(0, later === -1 ? this.#due.length : later)) deliver();
    this.#wake();
  }
}

/** Runs in the page: where the server says which addresses it has, their relays are put. */
function useRelays({ tcp }: { tcp: boolean }): void {
  const { relayOf } = globalThis as unknown as { relayOf(address: string, port: number): Promise<number> };
  const original = RTCPeerConnection.prototype.setRemoteDescription;
  RTCPeerConnection.prototype.setRemoteDescription = async function (description: RTCSessionDescriptionInit) {
    let sdp = description.sdp ?? '';
    // By TCP, media would go around the relays.
    if (!tcp) sdp = sdp.replaceAll(/^a=candidate:\S+ \d+ tcp .*\r?\n/gm, '');
    for (const [line, address = '', port = ''] of sdp.matchAll(/^a=candidate:\S+ \d+ udp \d+ (\S+) (\d+) typ host/gm)) {
      const relay = ` 127.0.0.1 ${await relayOf(address, Number(port))} typ host`;
      sdp = sdp.replace(line, line.replace(` ${address} ${port} typ host`, relay));
    }
    return Reflect.apply(original, this, [{ type: description.type, sdp }]) as Promise<void>;
  };
}

/** Loses `share` of the datagrams each way, the same ones for the same seed. */
export function losing(share: number, seed = 1): Shape {
  const chance = chances(seed);
  return () => (chance() < share ? 'lost' : 0);
}

/** The same, of what goes up only: nobody receives well what this person sends. */
export function losingUp(share: number, seed = 1): Shape {
  const lose = losing(share, seed);
  return (datagram, direction) => (direction === 'up' ? lose(datagram, direction) : 0);
}

/** What a network does to datagrams, each way. */
export interface Network {
  /** Kept from entering to leaving, in ms. */
  delayMs: number;
  /** The most that is added to it or taken from it, in ms. Whatever comes first leaves first all the same. */
  jitterMs?: number;
  /** The share that is lost, 0 to 1. */
  loss?: number;
  /** What comes down, in bit/s, and how long a queue before that may become, in ms: what would wait longer is lost. */
  down?: { bps: number; queueMs: number };
}

/** The shape of a network, the same for the same seed; `network` may change while it is in use. */
export function through(network: Network, seed = 1): Shape {
  const chance = chances(seed);
  const free = { up: 0, down: 0 };
  const leaves = { up: 0, down: 0 };
  return (datagram, direction) => {
    const { delayMs, jitterMs = 0, loss = 0, down } = network;
    const now = performance.now();
    if (chance() < loss) return 'lost';
    if (down && direction === 'down') {
      const from = Math.max(now, free.down);
      if (from - now > down.queueMs) return 'lost';
      free.down = from + ((datagram.length + IP_UDP_BYTES) * 8_000) / down.bps;
    } else {
      free[direction] = now;
    }
    leaves[direction] = Math.max(leaves[direction], free[direction] + delayMs + (2 * chance() - 1) * jitterMs);
    return leaves[direction] - now;
  };
}

/** Numbers from 0 to 1, the same for the same seed: mulberry32. */
function chances(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
