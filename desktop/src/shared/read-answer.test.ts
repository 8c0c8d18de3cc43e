import { expect, test } from 'vitest';
import type { Question } from './question';
import { readAnswer } from './read-answer';

const PIN = Array(32).fill('AB').join(':');
const choose: Question = { page: 'choose', address: '', linked: false, current: undefined };
const trust: Question = { page: 'trust', host: 'meet.example.org', fingerprint: PIN, before: undefined };
const picker: Question = {
  page: 'picker',
  sources: [{ id: 'screen:0:0', name: 'Screen', kind: 'screen', picture: '' }],
  withSound: false,
};

test('a chosen server is read again: what the page checked counts for nothing', () => {
  expect(readAnswer(choose, { server: 'meet.example.org' })).toEqual({ server: 'https://meet.example.org' });
  for (const value of [{ server: 'http://meet.example.org' }, { server: 7 }, {}, null, 'https://meet.example.org']) {
    expect(readAnswer(choose, value)).toBeUndefined();
  }
});

test('only what was offered can be shared, and sound only where it was offered', () => {
  expect(readAnswer(picker, { id: 'screen:0:0', sound: true })).toEqual({ id: 'screen:0:0', sound: false });
  expect(readAnswer({ ...picker, withSound: true }, { id: 'screen:0:0', sound: true })).toEqual({
    id: 'screen:0:0',
    sound: true,
  });
  expect(readAnswer(picker, { id: 'screen:1:0' })).toBeUndefined();
});

test('a changed certificate cannot be trusted, only forgotten', () => {
  expect(readAnswer(trust, 'trust')).toBe('trust');
  expect(readAnswer(trust, 'forget')).toBeUndefined();
  const changed: Question = { ...trust, before: PIN.replaceAll('A', 'C') };
  expect(readAnswer(changed, 'trust')).toBeUndefined();
  expect(readAnswer(changed, 'forget')).toBe('forget');
});

test('a word that was not offered is no answer', () => {
  expect(readAnswer({ page: 'switch', from: 'one', to: 'two' }, 'leave')).toBe('leave');
  expect(readAnswer({ page: 'switch', from: 'one', to: 'two' }, 'trust')).toBeUndefined();
  expect(readAnswer({ page: 'unreachable', host: 'x', reason: 'y' }, ['retry'])).toBeUndefined();
});
