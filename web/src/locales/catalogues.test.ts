import { describe, expect, test } from 'vitest';
import en from './en.json';

type Catalogue = { [key: string]: string | Catalogue };

const catalogues = Object.entries(import.meta.glob<Catalogue>('./*.json', { import: 'default', eager: true })).map(
  ([path, catalogue]) => ({ code: path.slice('./'.length, -'.json'.length), catalogue }),
);
const english = flat(en);

describe.each(catalogues)('the catalogue $code', ({ code, catalogue }) => {
  const texts = flat(catalogue);

  test('has the keys of the English one, with the plural forms of its language', () => {
    const forms = new Intl.PluralRules(code).resolvedOptions().pluralCategories;
    const expected = new Set(
      [...english.keys()].flatMap((key) => {
        const counted = withoutForm(key);
        return counted === key ? [key] : forms.map((form) => `${counted}_${form}`);
      }),
    );
    expect([...texts.keys()].sort()).toEqual([...expected].sort());
  });

  test('has the placeholders of the English one', () => {
    for (const [key, text] of texts) {
      const original = english.get(key) ?? english.get(`${withoutForm(key)}_other`) ?? '';
      expect(placeholders(text), key).toEqual(placeholders(original));
    }
  });

  test('has no text that is empty, or that begins or ends with a space', () => {
    for (const [key, text] of texts) expect(text, key).toMatch(/^\S(.*\S)?$/);
  });
});

test('a language calls itself otherwise than every other', () => {
  const names = catalogues.map(({ catalogue: { language } }) => language);
  expect(new Set(names).size).toBe(names.length);
});

/** `a.b.c` for every text. */
function flat(catalogue: Catalogue, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(catalogue).flatMap(([key, value]): (readonly [string, string])[] =>
      typeof value === 'string' ? [[prefix + key, value]] : [...flat(value, `${prefix}${key}.`)],
    ),
  );
}

function withoutForm(key: string): string {
  return key.replace(/_(zero|one|two|few|many|other)$/, '');
}

function placeholders(text: string): string[] {
  return (text.match(/{{.*?}}/g) ?? []).sort();
}
