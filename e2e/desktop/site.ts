import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A web server that answers what a test lets it, in place of a Hyperion server that turned bad, or as somebody else's. */
export class Site {
  /** The paths that were asked for, favicons aside. */
  readonly asked: string[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** `pages` are bodies by path; one that begins with `http` is a redirect to it. */
  static async open(pages: Record<string, string> = {}): Promise<Site> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const site = new Site(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => {
      const path = request.url ?? '/';
      if (path !== '/favicon.ico') site.asked.push(path);
      const page = pages[path] ?? '<!doctype html><title>A page</title><h1>A page</h1>';
      if (page.startsWith('http')) response.writeHead(302, { location: page }).end();
      else response.writeHead(200, { 'content-type': 'text/html' }).end(page);
    });
    return site;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
