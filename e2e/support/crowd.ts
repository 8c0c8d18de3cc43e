import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** What `hyperion-loadtest meeting --json` says of its people. */
interface CrowdReport {
  event: 'joined' | 'ended';
  sent: number;
  received: number;
  lost: number;
  faults: number;
  /** The longest times for which one of them did not hear another: of 95 % of all, and of all. */
  gapMsP95: number | null;
  gapMsMax: number | null;
}

/** Synthetic people in a room, on another implementation of WebRTC than the server's. */
export class Crowd {
  private constructor(
    private readonly process: ChildProcess,
    private readonly reports: CrowdReport[],
    private readonly errors: string[],
  ) {}

  /** Resolves when all of them are in and receive everybody. Their cameras are small, for the page decodes them. */
  static join(serverUrl: string, room: string, people: number): Promise<Crowd> {
    const camera = ['--fps', '10', '--packets', '2', '--bytes', '500', '--verify-every', '1'];
    return Crowd.#start(serverUrl, room, people, camera);
  }

  /** The same of people without cameras. */
  static joinWithoutCameras(serverUrl: string, room: string, people: number): Promise<Crowd> {
    return Crowd.#start(serverUrl, room, people, ['--sound-only', '--ramp', '10']);
  }

  /** The same with cameras that cost little to decode, for rooms as full as a screen. */
  static joinAsTiles(serverUrl: string, room: string, people: number): Promise<Crowd> {
    const camera = ['--fps', '5', '--packets', '1', '--bytes', '500', '--ramp', '10'];
    return Crowd.#start(serverUrl, room, people, camera);
  }

  static async #start(serverUrl: string, room: string, people: number, more: string[]): Promise<Crowd> {
    const binary = process.env.HYPERION_LOADTEST_BINARY;
    if (!binary) throw new Error('HYPERION_LOADTEST_BINARY is not set: run the tests by script/test');
    const flags = ['meeting', '--url', serverUrl, '--room', room, '--publishers', `${people}`, ...more, '--json'];
    const child = spawn(binary, flags, { stdio: ['pipe', 'pipe', 'pipe'] });
    const crowd = new Crowd(child, [], []);
    createInterface({ input: child.stderr }).on('line', (line) => crowd.errors.push(line));
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        crowd.reports.push(JSON.parse(line) as CrowdReport);
        resolve();
      });
      child.once('error', reject);
      child.once('close', (code) => reject(new Error(`the crowd ended with ${code}:\n${crowd.errors.join('\n')}`)));
    });
    return crowd;
  }

  /** They leave; what they sent and received. */
  async leave(): Promise<CrowdReport> {
    const closed = this.process.exitCode === null ? once(this.process, 'close') : [this.process.exitCode];
    this.process.stdin?.end();
    const [code] = (await closed) as [number | null];
    const report = this.reports.find(({ event }) => event === 'ended');
    if (code !== 0 || !report) throw new Error(`the crowd ended with ${code}:\n${this.errors.join('\n')}`);
    return report;
  }
}
