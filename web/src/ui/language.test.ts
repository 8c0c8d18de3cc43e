import i18next from 'i18next';
import { expect, test } from 'vitest';
import de from '../locales/de.json';
import { LANGUAGES } from './language';

const t = i18next.t;

test('languages are listed by what they call themselves', () => {
  expect(LANGUAGES).toContainEqual({ code: 'de', name: 'Deutsch' });
  expect(LANGUAGES).toContainEqual({ code: 'en', name: 'English' });
});

test('a name that is written from right to left leaves the sentence around it as it is', () => {
  expect(t('meeting.joined', { name: 'Anna' })).toBe('Anna joined');
  expect(t('meeting.joined', { name: 'דנה (2)' })).toBe('\u2068דנה (2)\u2069 joined');
});

test('a name is no markup, no placeholder and no other text', () => {
  for (const name of ['<b>Anna</b> & Co', '{{count}}', '$t(chat.title)', '{{- name}}']) {
    expect(t('meeting.joined', { name })).toBe(`${name} joined`);
  }
});

test('numbers are written, and counted, as in the language', async () => {
  expect(t('chat.over', { count: 1 })).toBe('1 byte too long');
  expect(t('chat.over', { count: 1234 })).toBe('1,234 bytes too long');
  i18next.addResourceBundle('de', 'translation', de);
  await i18next.changeLanguage('de');
  expect(t('chat.over', { count: 1234 })).toBe('1.234 Bytes zu lang');
});
