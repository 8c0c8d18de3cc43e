import { expect, test } from 'vitest';
import { isOfServer, mayOpenOutside } from './addresses';

const SERVER = 'https://meet.example.org';

test('pages of the server are those of its origin', () => {
  expect(isOfServer('https://meet.example.org/r/daily?x#y', SERVER)).toBe(true);
  expect(isOfServer('http://127.0.0.1:4400/', 'http://127.0.0.1:4400')).toBe(true);
});

test.each([
  'http://meet.example.org/',
  'https://meet.example.org:8443/',
  'https://meet.example.org.evil.example/',
  'https://meet.example.org@evil.example/',
  'https://evil.example/https://meet.example.org/',
  'blob:https://meet.example.org/7e3c',
  'data:text/html,x',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'about:blank',
  'hyperion-page://own/choose.html',
  '',
])('%s is no page of the server', (address) => {
  expect(isOfServer(address, SERVER)).toBe(false);
});

test('the browser is given addresses over HTTPS only', () => {
  expect(mayOpenOutside('https://example.org/a?b=c')).toBe(true);
});

test.each([
  'http://example.org/',
  'file:///etc/passwd',
  'smb://example.org/share',
  'ms-msdt:/id',
  'javascript:alert(1)',
  'data:text/html,x',
  'https://user:password@example.org/',
  'hyperion://meet.example.org/r/daily',
  '/etc/passwd',
  '',
])('%s is never opened outside', (address) => {
  expect(mayOpenOutside(address)).toBe(false);
});
