import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const HOST = '127.0.0.1';

/** A way by TCP to a port of this machine, which a test can cut: then it carries nothing, and says nothing. */
export class Way {
  readonly #sockets = new Set<Socket>();
  #cut = false;

  private constructor(
    private readonly server: Server,
    to: number,
  ) {
    server.on('connection', (client) => {
      const target = connect({ host: HOST, port: to });
      for (const socket of [client, target]) this.#keep(socket);
      client.pipe(target).pipe(client);
      if (this.#cut) client.pause();
      client.once('close', () => target.destroy());
      target.once('close', () => client.destroy());
    });
  }

  /** A way to port `to`, from port `at` on or any free one. */
  static async open(to: number, at = 0): Promise<Way> {
    const server = createServer().listen(at, HOST);
    await once(server, 'listening');
    return new Way(server, to);
  }

  get address(): string {
    return `${HOST}:${(this.server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#cut = false;
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
