import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { _electron, type ElectronApplication, expect, type Locator, type Page } from '@playwright/test';

export interface ClientOptions {
  /** The server of this run; without one the client asks, or takes what it was told before. */
  server?: string;
  /** More arguments, as a link. */
  args?: string[];
  env?: Record<string, string>;
  /** The folder with the settings of a run before. */
  profile?: string;
}

/** The desktop client in a window of its own, with settings of its own. */
export class Client {
  private constructor(
    readonly app: ElectronApplication,
    readonly profile: string,
    private readonly env: Record<string, string>,
  ) {}

  static async start({ server, args = [], env = {}, profile }: ClientOptions = {}): Promise<Client> {
    const folder = profile ?? (await mkdtemp(join(tmpdir(), 'hyperion-desktop-')));
    const environment = { ...(process.env as Record<string, string>), ...env };
    const app = await _electron.launch({
      executablePath: binary(),
      args: [...flags(folder), ...(server === undefined ? [] : [`--server=${server}`]), ...args],
      env: environment,
    });
    return new Client(app, folder, environment);
  }

  /** The window whose address begins with `address`, as soon as it is there. */
  async page(address: string): Promise<Page> {
    await expect.poll(() => this.#find(address) !== undefined, { message: `a window at ${address}` }).toBe(true);
    const page = this.#find(address);
    if (!page) throw new Error(`the window at ${address} is gone`);
    await page.waitForLoadState();
    return page;
  }

  /** The window that asks something: `choose`, `trust`, `unreachable`, `switch` or `picker`. */
  async question(name: string): Promise<Page> {
    const page = await this.page(`hyperion-page://own/${name}.html`);
    // The words come from the main process.
    await expect(page.locator('h1')).not.toBeEmpty();
    return page;
  }

  #find(address: string): Page | undefined {
    return this.app.windows().find((page) => page.url().startsWith(address));
  }

  /** Starts the client once more, as the system does for a link; it ends when the first has been told. */
  async startAgain(...args: string[]): Promise<void> {
    const second = spawn(binary(), [...flags(this.profile), ...args], { env: this.env, stdio: 'ignore' });
    const [code] = (await once(second, 'exit')) as [number | null];
    expect(code).toBe(0);
  }

  /** What the menu bar has under an id, as `mute`. */
  async menuItem(id: string): Promise<{ label: string; enabled: boolean; accelerator?: string }> {
    return this.app.evaluate(({ Menu }, id) => {
      const { label, enabled, accelerator } = Menu.getApplicationMenu()?.getMenuItemById(id) ?? {};
      return { label: label ?? '', enabled: enabled ?? false, ...(accelerator && { accelerator: String(accelerator) }) };
    }, id);
  }

  async clickMenuItem(id: string): Promise<void> {
    await this.app.evaluate(({ Menu }, id) => Menu.getApplicationMenu()?.getMenuItemById(id)?.click(), id);
  }

  /** How many windows are shown. */
  async shown(): Promise<number> {
    return this.app.evaluate(
      ({ BrowserWindow }) => BrowserWindow.getAllWindows().filter((window) => window.isVisible()).length,
    );
  }

  /** Ends it; its settings stay for a next start. */
  async quit(): Promise<string> {
    await this.app.close();
    return this.profile;
  }

  async remove(): Promise<void> {
    await this.app.close().catch(() => {});
    await rm(this.profile, { recursive: true, force: true });
  }
}

/** Answers a question: the window closes under the click. */
export async function answer(button: Locator): Promise<void> {
  await Promise.all([button.page().waitForEvent('close'), button.click().catch(() => {})]);
}

/** Presses keys as on a keyboard, wherever the focus is. */
export async function pressEverywhere(keys: string): Promise<void> {
  await run('xdotool', 'key', '--clearmodifiers', keys);
}

export async function run(command: string, ...args: string[]): Promise<void> {
  const child: ChildProcess = spawn(command, args, { stdio: 'inherit' });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
}

function binary(): string {
  const binary = process.env['HYPERION_ELECTRON'];
  if (!binary) throw new Error('HYPERION_ELECTRON is not set: run the tests by script/desktop-test');
  return binary;
}

function flags(profile: string): string[] {
  return [
    '--no-sandbox',
    '--disable-gpu',
    '--autoplay-policy=no-user-gesture-required',
    '--use-fake-device-for-media-stream=fps=15',
    join(import.meta.dirname, '../../desktop'),
    `--user-data-dir=${profile}`,
  ];
}
