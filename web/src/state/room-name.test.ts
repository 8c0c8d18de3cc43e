import { describe, expect, it } from 'vitest';
import { isRoomName, parseRoom, randomRoomName, readTyped, roomOfPath } from './room-name';

describe('room names', () => {
  it('are long enough not to be guessed, and valid', () => {
    const name = randomRoomName();
    expect(name).toMatch(/^[a-z2-9]{26}$/);
    expect(isRoomName(name)).toBe(true);
    expect(randomRoomName()).not.toBe(name);
  });

  it('are found in links and in what people type', () => {
    const links = ['https://meet.example/r/daily-7?x=1', 'HTTPS://Meet.Example:443/r/daily-7', 'r/daily-7'];
    for (const text of [...links, ' meet.example/r/daily-7/ ', '/r/daily-7', 'Daily 7']) {
      expect(readTyped(text, 'meet.example'), text).toEqual({ room: 'daily-7' });
    }
    expect(readTyped('127.0.0.1:4400/r/daily', '127.0.0.1:4400')).toEqual({ room: 'daily' });
    expect(parseRoom('Team Café')).toBe('team-cafe');
  });

  it('are not taken from links to other servers', () => {
    for (const text of ['https://other.example/r/daily', 'other.example/r/daily', 'http://other.example/x/r/daily']) {
      expect(readTyped(text, 'meet.example'), text).toEqual({ problem: 'elsewhere', host: 'other.example' });
    }
    expect(readTyped('meet.example:8443/r/daily', 'meet.example')).toMatchObject({ problem: 'elsewhere' });
  });

  it('are taken from links to this computer, by whatever name', () => {
    for (const here of ['localhost:4400', '127.0.0.1:4400', '[::1]:4400']) {
      expect(readTyped('http://127.0.0.1:4400/r/daily', here), here).toEqual({ room: 'daily' });
      expect(readTyped('localhost:4400/r/daily', here), here).toEqual({ room: 'daily' });
      expect(readTyped('http://localhost:4401/r/daily', here), here).toMatchObject({ problem: 'elsewhere' });
      expect(readTyped('http://meet.example:4400/r/daily', here), here).toMatchObject({ problem: 'elsewhere' });
    }
  });

  it('are read from the path of a page', () => {
    expect(roomOfPath('/r/team-sync')).toBe('team-sync');
    expect(roomOfPath('/r/team-sync/')).toBe('team-sync');
    expect(roomOfPath('/r/Team%20Sync')).toBe('team-sync');
    for (const bad of ['/', '/r/', '/r/a/b', '/r/%E2%82%AC', '/r/%', '/x/r/daily']) {
      expect(roomOfPath(bad), bad).toBeUndefined();
    }
  });

  it('are too long, or no names at all', () => {
    expect(readTyped('x'.repeat(64), 'meet.example')).toEqual({ room: 'x'.repeat(64) });
    expect(readTyped('x'.repeat(65), 'meet.example')).toEqual({ problem: 'tooLong' });
    expect(readTyped(`https://meet.example/r/${'x'.repeat(65)}`, 'meet.example')).toEqual({ problem: 'tooLong' });
    for (const bad of ['a/b?', 'https://example.com', `${'ä/'.repeat(40)}`]) {
      expect(readTyped(bad, 'meet.example'), bad).toEqual({ problem: 'noName' });
    }
  });

  it('are not made out of anything', () => {
    for (const bad of ['', '   ', 'a/b', 'https://example.com', 'ä/ö', 'x'.repeat(65)]) {
      expect(parseRoom(bad), bad).toBeUndefined();
    }
  });
});
