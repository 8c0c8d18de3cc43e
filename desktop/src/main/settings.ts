import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Fingerprint, isFingerprint } from '../shared/fingerprint';
import { readServerAddress } from '../shared/server-address';

/** What is kept between starts. */
export interface Settings {
  /** The chosen server's origin. */
  server: string | undefined;
  /** The certificates that were trusted by their fingerprint, by host and port. */
  pins: Record<string, Fingerprint>;
  /** Electron's words for the keys that mute from everywhere. */
  muteShortcut: string;
}

export const DEFAULTS: Settings = { server: undefined, pins: {}, muteShortcut: 'CommandOrControl+Shift+M' };

const SHORTCUT_LENGTH_MAX = 64;

/** Reads a settings file. What cannot be used in it is as if it were not there: a pin that is lost is asked for again,
 *  and nothing is trusted that was not. */
export function readSettings(text: string): Settings {
  const { server, pins, muteShortcut } = objectOf(parseJson(text)) as Partial<Record<keyof Settings, unknown>>;
  const address = readServerAddress(typeof server === 'string' ? server : '');
  const isShortcut = typeof muteShortcut === 'string' && muteShortcut.length <= SHORTCUT_LENGTH_MAX;
  return {
    server: 'server' in address ? address.server : undefined,
    pins: Object.fromEntries(
      Object.entries(objectOf(pins)).filter((entry): entry is [string, Fingerprint] => isFingerprint(entry[1])),
    ),
    muteShortcut: isShortcut ? muteShortcut : DEFAULTS.muteShortcut,
  };
}

/** The settings in a file of their own. */
export class SettingsFile {
  readonly #path: string;
  #settings: Settings;

  constructor(path: string) {
    this.#path = path;
    this.#settings = readSettings(read(path));
  }

  get(): Settings {
    return this.#settings;
  }

  update(change: Partial<Settings>): void {
    this.#settings = { ...this.#settings, ...change };
    try {
      write(this.#path, `${JSON.stringify(this.#settings, null, 2)}\n`);
    } catch {
      // On a full disk it holds until the end of this run, and is asked for again.
    }
  }

  /** Trusts a certificate for a host from now on; `undefined` takes that back. */
  pin(host: string, fingerprint: Fingerprint | undefined): void {
    const { [host]: _, ...others } = this.#settings.pins;
    this.update({ pins: fingerprint === undefined ? others : { ...others, [host]: fingerprint } });
  }
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  // Renamed into place: whoever pulls the plug has the file of before, not half of this one.
  const half = `${path}.new`;
  writeFileSync(half, text, { mode: 0o600 });
  renameSync(half, path);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
