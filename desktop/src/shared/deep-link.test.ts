import { expect, test } from 'vitest';
import { deepLinkIn, isSameServer, readDeepLink } from './deep-link';

test('a link names a server and a room', () => {
  expect(readDeepLink('hyperion://meet.example.org/r/daily')).toEqual({
    server: 'https://meet.example.org',
    room: 'daily',
  });
  expect(readDeepLink('hyperion://meet.example.org:8443/r/daily/')).toEqual({
    server: 'https://meet.example.org:8443',
    room: 'daily',
  });
  expect(readDeepLink('hyperion://127.0.0.1:4400/r/daily')).toEqual({ server: 'http://127.0.0.1:4400', room: 'daily' });
});

test.each([
  'https://meet.example.org/r/daily',
  'hyperion://meet.example.org/',
  'hyperion://meet.example.org/r/',
  'hyperion://meet.example.org/r/../settings',
  'hyperion://meet.example.org/r/Daily',
  'hyperion://meet.example.org/r/%2e%2e',
  'hyperion://meet.example.org/r/daily/more',
  'hyperion://user@meet.example.org/r/daily',
  'hyperion:///r/daily',
  'hyperion:meet.example.org/r/daily',
  `hyperion://meet.example.org/r/${'a'.repeat(65)}`,
  '--server=https://evil.example',
  '',
])('%s is no link', (text) => {
  expect(readDeepLink(text)).toBeUndefined();
});

test('a link brings nothing along: what stands behind it is left out', () => {
  expect(readDeepLink('hyperion://meet.example.org/r/daily?name=x#y')).toEqual({
    server: 'https://meet.example.org',
    room: 'daily',
  });
});

test('the link is found among what a process was started with', () => {
  expect(deepLinkIn(['/usr/bin/hyperion', '--flag', 'hyperion://meet.example.org/r/daily'])?.room).toBe('daily');
  expect(deepLinkIn(['/usr/bin/hyperion', '.'])).toBeUndefined();
});

test('a server is the same by host and port, as a link has no scheme', () => {
  expect(isSameServer('https://127.0.0.1:4400', 'http://127.0.0.1:4400')).toBe(true);
  expect(isSameServer('https://meet.example.org', 'https://meet.example.org:8443')).toBe(false);
});
