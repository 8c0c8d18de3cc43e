import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** The example page of docs, or another one of web's Vite, served as its README says, on a free port. */
export class ExamplePage {
  private constructor(
    readonly origin: string,
    private readonly stopServing: () => Promise<void>,
  ) {}

  static async serve(root = '../docs/example'): Promise<ExamplePage> {
    const web = fileURLToPath(new URL('../../web', import.meta.url));
    const port = await freePort();
    const flags = [root, '--port', String(port), '--strictPort'];
    const vite = spawn('node', ['node_modules/vite/bin/vite.js', ...flags], {
      cwd: web,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const origin = `http://127.0.0.1:${port}`;
    const exited = once(vite, 'exit');
    let log = '';
    await new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        log += chunk.toString();
        if (log.includes('ready in')) resolve();
      };
      vite.stdout.on('data', read);
      vite.stderr.on('data', read);
      vite.once('exit', (code) => reject(new Error(`vite ended with ${code}:\n${log}`)));
    });
    return new ExamplePage(origin, async () => {
      vite.kill('SIGTERM');
      await exited;
    });
  }

  url(query: { server: string; room: string; name: string }): string {
    return `${this.origin}/?${new URLSearchParams(query)}`;
  }

  async stop(): Promise<void> {
    await this.stopServing();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
