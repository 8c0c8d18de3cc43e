import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SCRIPT = fileURLToPath(new URL('../../script/nginx', import.meta.url));

/** A real Nginx of a test's own, with the configuration of deploy/nginx. */
export class Nginx {
  private constructor(
    readonly url: string,
    private readonly folder: string,
    private readonly script: ChildProcess,
  ) {}

  /** In front of these ports, which are node-1, node-2, …; `settings` are those of deploy/nginx/render. */
  static async start(ports: number[], settings: Record<string, string> = {}): Promise<Nginx> {
    const folder = join(tmpdir(), `hyperion-nginx-e2e-${process.pid}-${Date.now()}`);
    const script = spawn(SCRIPT, ['run', folder, '0', ...ports.map(String)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...settings },
    });
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: script.stdout }).once('line', resolve);
      script.once('exit', (code) => reject(new Error(`script/nginx ended with ${code}`)));
    });
    return new Nginx(url, folder, script);
  }

  /** Resolves when new workers answer; those of before keep their sockets. */
  async reload(ports: number[]): Promise<void> {
    await promisify(execFile)(SCRIPT, ['reload', this.folder, ...ports.map(String)]);
  }

  async accessLog(): Promise<string> {
    return readFile(join(this.folder, 'access.log'), 'utf8');
  }

  async stop(): Promise<void> {
    const exited = once(this.script, 'exit');
    this.script.stdin?.end();
    await exited;
  }
}
