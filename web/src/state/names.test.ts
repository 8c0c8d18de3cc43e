import { describe, expect, it } from 'vitest';
import { cleanName, displayNames, initials, shortenName, stableIndex, truncateName } from './names';

describe('names', () => {
  it('gives the second of the same name a mark', () => {
    const people = [
      { id: '1', name: 'Anna' },
      { id: '2', name: ' anna ' },
      { id: '3', name: 'Ben' },
    ];
    expect([...displayNames(people).values()]).toEqual(['Anna', 'anna (2)', 'Ben']);
  });

  it('takes out what would disguise a name', () => {
    expect(cleanName('  An\u202ena\n\u200bB  ')).toBe('An na B');
    expect(cleanName('👩‍🚀')).toBe('👩‍🚀');
  });

  it('cuts long names between characters', () => {
    expect(truncateName('äääää', 5)).toBe('ää');
    expect(truncateName('a👩‍🚀b', 6)).toBe('a');
  });

  it('shortens what has too many characters for its place', () => {
    expect(shortenName('👩‍🚀👩‍🚀👩‍🚀', 3)).toBe('👩‍🚀👩‍🚀👩‍🚀');
    expect(shortenName('Anna Maria Schmidt', 6)).toBe('Anna…');
  });

  it('makes initials of first and last word', () => {
    expect(initials('Anna Maria Schmidt')).toBe('AS');
    expect(initials('anna')).toBe('A');
    expect(initials('Anna (2)')).toBe('A');
    expect(initials('王小明')).toBe('王');
    expect(initials('')).toBe('');
  });

  it('always gives a name the same colour', () => {
    expect(stableIndex('Anna', 10)).toBe(stableIndex('anna ', 10));
    expect(stableIndex('Anna', 10)).toBeLessThan(10);
  });
});
