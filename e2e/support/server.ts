import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A Hyperion server of a test's own, on free ports. */
export class Server {
  private constructor(
    readonly url: string,
    private readonly process: ChildProcess,
    private readonly log: string[],
  ) {}

  static async start(...flags: string[]): Promise<Server> {
    const binary = process.env.HYPERION_BINARY;
    if (!binary) throw new Error('HYPERION_BINARY is not set: run the tests by script/test');
    const listen = flags.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
    const child = spawn(binary, [...listen, '--media-port', '0', ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, RUST_BACKTRACE: '1' },
    });
    const log: string[] = [];
    createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
    const lines = createInterface({ input: child.stdout });
    const url = await new Promise<string>((resolve, reject) => {
      lines.on('line', (line) => {
        log.push(line);
        const ready = /^Hyperion is ready: (\S+)$/.exec(line);
        if (ready?.[1]) resolve(ready[1]);
      });
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${log.join('\n')}`)));
    });
    return new Server(url, child, log);
  }

  /** The process id, for what the kernel knows of it. */
  get pid(): number {
    if (this.process.pid === undefined) throw new Error('the server has not started');
    return this.process.pid;
  }

  /** The SHA-256 of the certificate that it made itself, as it printed it. */
  get certificate(): string {
    const line = this.log.find((line) => line.startsWith('Certificate SHA-256: '));
    if (line === undefined) throw new Error('the server has no certificate');
    return line.slice('Certificate SHA-256: '.length);
  }

  async metrics(): Promise<string> {
    // A connection that is kept would be one of the descriptors that tests count.
    const response = await fetch(new URL('/metrics', this.url), { headers: { connection: 'close' } });
    return response.text();
  }

  /** One value of /metrics, summed over its labels. */
  async metric(name: string): Promise<number> {
    const text = await this.metrics();
    const values = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
    if (values.length === 0) throw new Error(`there is no metric ${name}`);
    return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  }

  /** Ends the server and checks that it went in good order and never panicked. */
  async stop(): Promise<void> {
    const exited = once(this.process, 'exit');
    this.process.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    const panics = this.log.filter((line) => line.includes('panicked'));
    if (code !== 0 || panics.length > 0) throw new Error(`the server ended with ${code}:\n${this.log.join('\n')}`);
  }
}
