import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const SCRIPT = fileURLToPath(new URL('../../script/kafka', import.meta.url));

/** A real Kafka of a test's own; the script removes it when this process ends in whatever way. */
export class Kafka {
  private constructor(
    readonly address: string,
    private readonly folder: string,
    private readonly script: ChildProcess,
  ) {}

  static async start(): Promise<Kafka> {
    const folder = join(tmpdir(), `hyperion-kafka-e2e-${process.pid}-${Date.now()}`);
    const script = spawn(SCRIPT, ['run', folder], { stdio: ['pipe', 'pipe', 'inherit'] });
    const address = await new Promise<string>((resolve, reject) => {
      createInterface({ input: script.stdout }).once('line', resolve);
      script.once('exit', (code) => reject(new Error(`script/kafka ended with ${code}`)));
    });
    return new Kafka(address, folder, script);
  }

  /** By SIGKILL; what was written stays. */
  async kill(): Promise<void> {
    await this.call('kill');
  }

  async startAgain(): Promise<void> {
    await this.call('start');
  }

  async stop(): Promise<void> {
    const exited = once(this.script, 'exit');
    this.script.stdin?.end();
    await exited;
  }

  private async call(what: string): Promise<void> {
    await promisify(execFile)(SCRIPT, [what, this.folder]);
  }
}
