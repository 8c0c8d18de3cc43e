import { describe, expect, it } from 'vitest';
import { isRoomName, parseRoom, randomRoomName } from './room-name';

describe('room names', () => {
  it('are long enough not to be guessed, and valid', () => {
    const name = randomRoomName();
    expect(name).toMatch(/^[a-z2-9]{26}$/);
    expect(isRoomName(name)).toBe(true);
    expect(randomRoomName()).not.toBe(name);
  });

  it('are found in links and in what people type', () => {
    expect(parseRoom('https://meet.example/r/daily-7?x=1')).toBe('daily-7');
    expect(parseRoom(' meet.example/r/daily-7/ ')).toBe('daily-7');
    expect(parseRoom('Team Café')).toBe('team-cafe');
  });

  it('are not made out of anything', () => {
    for (const bad of ['', '   ', 'a/b', 'https://example.com', 'ä/ö', 'x'.repeat(65)]) {
      expect(parseRoom(bad), bad).toBeUndefined();
    }
  });
});
