import { describe, expect, test } from 'vitest';
import { bestLanguage, formatLocale } from './languages';

const AVAILABLE = ['de', 'en', 'pt-BR', 'zh'];

describe('which language', () => {
  test('is the first that is wanted and there is', () => {
    expect(bestLanguage(['it', 'de', 'en'], AVAILABLE)).toBe('de');
    expect(bestLanguage(['en', 'de'], AVAILABLE)).toBe('en');
  });

  test('is the same without its region or script where there is none of its own', () => {
    expect(bestLanguage(['de-AT'], AVAILABLE)).toBe('de');
    expect(bestLanguage(['zh-Hant-TW'], AVAILABLE)).toBe('zh');
    expect(bestLanguage(['PT-br'], AVAILABLE)).toBe('pt-BR');
    expect(bestLanguage(['en-US@posix'], AVAILABLE)).toBe('en');
  });

  test('is none where none is wanted that there is', () => {
    expect(bestLanguage(['it', 'pt-PT', 'd', ''], AVAILABLE)).toBeUndefined();
    expect(bestLanguage([], AVAILABLE)).toBeUndefined();
  });
});

test('dates are written as in the language, and as in the person’s region where it has the language', () => {
  expect(formatLocale('en', ['de-DE', 'en-GB', 'en-US'])).toBe('en-GB');
  expect(formatLocale('fr', ['de-DE', 'en-GB'])).toBe('fr');
  expect(formatLocale('en', ['en-US@posix'])).toBe('en');
});
