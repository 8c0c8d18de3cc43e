import { expect, it } from 'vitest';
import { isLoopback, shortcut } from './browser';

it('knows the addresses that others cannot open', () => {
  for (const here of ['localhost', 'x.localhost', '127.0.0.1', '127.0.1.1', '[::1]']) {
    expect(isLoopback(here), here).toBe(true);
  }
  for (const there of ['192.0.2.1', 'localhost.example', '127.example', '[2001:db8::1]', '']) {
    expect(isLoopback(there), there).toBe(false);
  }
});

it('leaves the keys of text fields alone', () => {
  const pressed = { key: 'e', ctrlKey: true, metaKey: false, shiftKey: false, altKey: false, repeat: false };
  const command = { ...pressed, ctrlKey: false, metaKey: true };
  expect(shortcut(pressed, false)).toBe('camera');
  expect(shortcut(pressed, true), 'the end of the line').toBeUndefined();
  expect(shortcut({ ...pressed, key: 'k' }, false)).toBe('chat');
  expect(shortcut({ ...command, key: 'D' }, true)).toBe('mic');
  expect(shortcut(command, false)).toBeUndefined();
  expect(shortcut({ ...pressed, repeat: true }, false)).toBeUndefined();
});
