import { expect, test } from 'vitest';
import { readServerAddress } from './server-address';

test.each([
  ['meet.example.org', 'https://meet.example.org'],
  ['  meet.example.org/ ', 'https://meet.example.org'],
  ['https://meet.example.org/r/daily', 'https://meet.example.org'],
  ['HTTPS://Meet.Example.org:8443', 'https://meet.example.org:8443'],
  ['meet.example.org:443', 'https://meet.example.org'],
  ['192.168.1.7:4400', 'https://192.168.1.7:4400'],
  ['localhost:4400', 'http://localhost:4400'],
  ['127.0.0.1:4400', 'http://127.0.0.1:4400'],
  ['[::1]:4400', 'http://[::1]:4400'],
  ['http://127.0.0.1:4400/', 'http://127.0.0.1:4400'],
  ['https://localhost:4400', 'https://localhost:4400'],
])('%s is the server %s', (typed, server) => {
  expect(readServerAddress(typed)).toEqual({ server });
});

test('plain HTTP to another computer is refused: a page there gets no camera', () => {
  for (const typed of ['http://meet.example.org', 'http://192.168.1.7:4400', 'http://127.0.0.1.example.org']) {
    expect(readServerAddress(typed)).toEqual({ problem: 'insecure' });
  }
});

test('nothing is said to be nothing', () => {
  expect(readServerAddress(' ')).toEqual({ problem: 'empty' });
});

test.each([
  'file:///etc/passwd',
  'javascript://meet.example.org/%0aalert(1)',
  'hyperion://meet.example.org',
  'https://user:password@meet.example.org',
  'https://meet.example.org@evil.example',
  'https://',
  'two words',
  'a'.repeat(301),
])('%s is no address', (typed) => {
  expect(readServerAddress(typed)).toEqual({ problem: 'invalid' });
});
