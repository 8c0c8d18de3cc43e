import { describe, expect, it } from 'vitest';
import type { Moderated } from '../client';
import { type ModerationNews, moderationNews, together } from './moderation-news';

const names = new Map([
  ['me', 'Me'],
  ['a', 'Anna'],
  ['b', 'Ben'],
]);
const said = (moderated: Moderated) => {
  const news = moderationNews(moderated, 'me', names);
  return news && [news.code, news.who, news.by];
};

describe('What is said of moderation', () => {
  it('is whom it was done to and by whom', () => {
    expect(said({ kind: 'muted', who: 'b', source: 'mic', by: 'a' })).toEqual(['muted', 'Ben', 'Anna']);
    expect(said({ kind: 'muted', who: 'me', source: 'camera', by: 'a' })).toEqual(['stoppedYourCamera', 'Me', 'Anna']);
    expect(said({ kind: 'removed', name: 'Cara', by: 'a' })).toEqual(['removed', 'Cara', 'Anna']);
    expect(said({ kind: 'setting', setting: 'locked', on: true, by: 'a' })).toEqual(['lockedOn', '', 'Anna']);
    expect(said({ kind: 'roleChanged', who: 'me', role: 'host', by: undefined })).toEqual(['youAreHost', 'Me', '']);
    expect(said({ kind: 'handRaised', who: 'b' })).toEqual(['handRaised', 'Ben', '']);
  });

  it('is nothing of what one did oneself, and of a screen’s sound beside the screen', () => {
    expect(said({ kind: 'muted', who: 'b', source: 'mic', by: 'me' })).toBeUndefined();
    expect(said({ kind: 'handRaised', who: 'me' })).toBeUndefined();
    expect(said({ kind: 'muted', who: 'b', source: 'screenAudio', by: 'a' })).toBeUndefined();
  });

  it('is one word where many were muted at once', () => {
    const muted = (who: string, by = 'a') =>
      moderationNews({ kind: 'muted', who, source: 'mic', by }, 'me', names) as ModerationNews;
    const two = together(muted('b'), muted('a'));
    expect(two).toMatchObject({ code: 'mutedSeveral', by: 'Anna' });
    expect(together(two as ModerationNews, muted('b'))).toEqual(two);
    expect(together(muted('b'), muted('a', 'b')), 'by another').toBeUndefined();
  });
});
