import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DEFAULTS, readSettings, SettingsFile } from './settings';

const PIN = Array(32).fill('AB').join(':');
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'settings-'));
  path = join(folder, 'deeper', 'settings.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what was set is there at the next start', () => {
  const settings = new SettingsFile(path);
  settings.update({ server: 'https://meet.example.org' });
  settings.pin('meet.example.org', PIN);
  expect(new SettingsFile(path).get()).toEqual({
    ...DEFAULTS,
    server: 'https://meet.example.org',
    pins: { 'meet.example.org': PIN },
  });
  expect(readdirSync(join(folder, 'deeper'))).toEqual(['settings.json']);
});

test('a pin that is forgotten leaves the others', () => {
  const settings = new SettingsFile(path);
  settings.pin('one.example', PIN);
  settings.pin('two.example', PIN);
  settings.pin('one.example', undefined);
  expect(new SettingsFile(path).get().pins).toEqual({ 'two.example': PIN });
});

test.each(['', '{', 'null', '[]', '7', '{"server": 7, "pins": [], "muteShortcut": {}}', '\u0000'])(
  'a broken file is as none: %j',
  (text) => {
    expect(readSettings(text)).toEqual(DEFAULTS);
  },
);

test('of a file that is half right the right half counts', () => {
  const text = JSON.stringify({
    server: 'https://meet.example.org',
    pins: { 'meet.example.org': PIN, 'evil.example': 'anything' },
    muteShortcut: 'a'.repeat(65),
    more: true,
  });
  expect(readSettings(text)).toEqual({
    server: 'https://meet.example.org',
    pins: { 'meet.example.org': PIN },
    muteShortcut: DEFAULTS.muteShortcut,
  });
});

test('a server that no page could be shown of is asked for again', () => {
  expect(readSettings('{"server": "http://meet.example.org"}').server).toBeUndefined();
  expect(readSettings('{"server": "file:///etc"}').server).toBeUndefined();
});

test('the file is for its owner only', () => {
  const settings = new SettingsFile(path);
  settings.update({ server: 'https://meet.example.org' });
  chmodSync(path, 0o644);
  settings.update({ server: 'https://meet.example.org' });
  const { mode } = statSync(path);
  expect(mode & 0o777).toBe(0o600);
});

test('what cannot be kept holds until the end', () => {
  writeFileSync(join(folder, 'deeper'), 'a file where the folder should be');
  const settings = new SettingsFile(path);
  settings.update({ server: 'https://meet.example.org' });
  expect(settings.get().server).toBe('https://meet.example.org');
  expect(new SettingsFile(path).get()).toEqual(DEFAULTS);
});
