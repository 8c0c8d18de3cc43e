import { expect, test } from 'vitest';
import { LANGUAGES, languageOf, textsFor } from '.';

/** Every sentence of a catalogue, by the way to it; those that are made of something are given marks to hold. */
function sentences(value: unknown, way = ''): [string, string][] {
  if (typeof value === 'string') return [[way, value]];
  if (typeof value === 'function') return [[way, String((value as (...args: unknown[]) => string)('‹1›', '‹2›'))]];
  return Object.entries(value as object).flatMap(([key, inner]) => sentences(inner, `${way}.${key}`));
}

const marks = (sentence: string) => [...sentence.matchAll(/‹\d›/g)].map(([mark]) => mark).sort();
const english = new Map(sentences(textsFor('en')));

test.each(LANGUAGES.filter((language) => language !== 'en'))(
  '%s says everything, with what it is about',
  (language) => {
    const translated = new Map(sentences(textsFor(language)));
    expect([...translated.keys()]).toEqual([...english.keys()]);
    for (const [way, sentence] of translated) {
      expect(sentence.trim(), way).not.toBe('');
      expect(marks(sentence), way).toEqual(marks(english.get(way) ?? ''));
    }
  },
);

test.each(LANGUAGES.filter((language) => language !== 'en'))('%s is not English', (language) => {
  const same = sentences(textsFor(language)).filter(([way, sentence]) => english.get(way) === sentence);
  expect(same).toEqual([]);
});

test('a locale of a country has its language, and one without texts English', () => {
  expect(languageOf('de-AT')).toBe('de');
  expect(languageOf('zh-CN')).toBe('zh');
  expect(textsFor('pt-BR')).toBe(textsFor('en'));
  expect(textsFor('')).toBe(textsFor('en'));
});
