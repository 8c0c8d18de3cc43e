import { expect, test } from 'vitest';
import { isAllowed } from './permissions';

const SERVER = 'https://meet.example.org';

test.each([
  'media',
  'display-capture',
  'notifications',
  'fullscreen',
  'clipboard-sanitized-write',
  'screen-wake-lock',
  'speaker-selection',
])('the server gets %s, and nobody else does', (permission) => {
  expect(isAllowed(permission, 'https://meet.example.org/r/daily', SERVER)).toBe(true);
  for (const other of ['https://evil.example/', 'http://meet.example.org/', 'about:blank', '']) {
    expect(isAllowed(permission, other, SERVER)).toBe(false);
  }
});

test.each([
  'geolocation',
  'clipboard-read',
  'midi',
  'midiSysex',
  'hid',
  'serial',
  'usb',
  'openExternal',
  'pointerLock',
  'keyboardLock',
  'idle-detection',
  'fileSystem',
  'storage-access',
  'window-management',
  'local-fonts',
  'unknown',
])('nobody gets %s', (permission) => {
  expect(isAllowed(permission, `${SERVER}/`, SERVER)).toBe(false);
});
