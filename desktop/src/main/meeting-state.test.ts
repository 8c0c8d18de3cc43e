import { expect, test } from 'vitest';
import { readMeeting } from './meeting-state';

test('what the page says is taken as it is, and nothing more of it', () => {
  const meeting = { inMeeting: true, micOn: false, room: 'daily' };
  expect(readMeeting({ ...meeting, more: 'x' })).toEqual(meeting);
});

test.each([
  [undefined],
  [null],
  ['daily'],
  [{ inMeeting: 1, micOn: true, room: 'daily' }],
  [{ inMeeting: true, room: 'daily' }],
  [{ inMeeting: true, micOn: true }],
  [{ inMeeting: true, micOn: true, room: 'Not a room\n' }],
  [{ inMeeting: true, micOn: true, room: 'a'.repeat(65) }],
])('%j says nothing', (value) => {
  expect(readMeeting(value)).toBeUndefined();
});
