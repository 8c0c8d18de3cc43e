import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, expect, firefox } from '@playwright/test';

const FIREFOX = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const PULSEAUDIO = '/usr/bin/pulseaudio';

/** A distribution's own Firefox, which Playwright drives by WebDriver BiDi. */
export class Firefox {
  private constructor(
    readonly browser: Browser,
    private readonly soundCard: SoundCard,
  ) {}

  static get isInstalled(): boolean {
    return existsSync(FIREFOX) && existsSync(PULSEAUDIO);
  }

  static async start(): Promise<Firefox> {
    const soundCard = await SoundCard.plugIn();
    const browser = await firefox.launch({
      channel: 'moz-firefox',
      executablePath: FIREFOX,
      env: { ...process.env, PULSE_SERVER: soundCard.server } as Record<string, string>,
      firefoxUserPrefs: { 'media.autoplay.default': 0, 'media.autoplay.blocking_policy': 0 },
    });
    return new Firefox(browser, soundCard);
  }

  async stop(): Promise<void> {
    await this.browser.close();
    await this.soundCard.unplug();
  }
}

/** Takes the sound of one browser and drops it: without any sound card Firefox's AudioContext stands still. */
class SoundCard {
  private constructor(
    private readonly folder: string,
    private readonly process: ChildProcess,
  ) {}

  static async plugIn(): Promise<SoundCard> {
    const folder = await mkdtemp(join(tmpdir(), 'hyperion-sound-'));
    const socket = `module-native-protocol-unix socket=${SoundCard.#socketIn(folder)} auth-anonymous=1`;
    const modules = ['-L', 'module-null-sink', '-L', socket];
    const child = spawn(PULSEAUDIO, ['-n', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1', ...modules], {
      stdio: 'ignore',
      env: { ...process.env, HOME: folder, XDG_RUNTIME_DIR: folder },
    });
    const card = new SoundCard(folder, child);
    await expect.poll(() => existsSync(SoundCard.#socketIn(folder)), { message: 'PulseAudio starts' }).toBe(true);
    return card;
  }

  /** As `PULSE_SERVER`. */
  get server(): string {
    return `unix:${SoundCard.#socketIn(this.folder)}`;
  }

  async unplug(): Promise<void> {
    const exited = once(this.process, 'exit');
    this.process.kill();
    await exited;
    await rm(this.folder, { recursive: true });
  }

  static #socketIn(folder: string): string {
    return join(folder, 'native');
  }
}
