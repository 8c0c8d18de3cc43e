import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from '../locales/en.json';
import { bestLanguage, formatLocale } from '../state/languages';
import { isolateName } from '../state/names';
import type { PreferenceStore } from '../state/preferences';

const NAMESPACE = 'translation';

/** Each is a file of its own that is fetched when somebody reads it. English is what is left when that fails. */
const catalogues = import.meta.glob<typeof en>(['../locales/*.json', '!../locales/en.json'], { import: 'default' });

/** What each language calls itself. The query makes it another module, without the other texts. */
const names = import.meta.glob<string>('../locales/*.json', { import: 'language', query: '?name', eager: true });

/** The languages that there are, by what they call themselves. */
export const LANGUAGES = Object.entries(names)
  .map(([path, name]) => ({ code: path.slice('../locales/'.length, -'.json'.length), name }))
  .sort((one, other) => one.name.localeCompare(other.name, 'en'));

void i18next.use(initReactI18next).init({
  lng: 'en',
  fallbackLng: 'en',
  resources: { en: { [NAMESPACE]: en } },
  // Nothing waits: texts are there before a page is.
  initAsync: false,
  react: { useSuspense: false },
  // React escapes. Here every value comes by that goes into a sentence.
  interpolation: { escape: place, useRawValueToEscape: true },
});

/** Loads the texts in the language of the address (`?lang=`), else of the preferences, else of the browser. */
export async function startLanguage(preferences: PreferenceStore): Promise<void> {
  const asked = new URLSearchParams(location.search).get('lang') ?? '';
  const wanted = [asked, preferences.get().language, ...navigator.languages];
  const codes = LANGUAGES.map(({ code }) => code);
  await show(bestLanguage(wanted, codes) ?? 'en');
}

/** Shows the texts in another language from now on. */
export async function chooseLanguage(code: string, preferences: PreferenceStore): Promise<void> {
  preferences.update({ language: code });
  // It would win again with the next reload.
  const url = new URL(location.href);
  url.searchParams.delete('lang');
  history.replaceState(history.state, '', url);
  await show(code);
}

/** The locale in which dates and numbers are written. */
export function locale(): string {
  return formatLocale(i18next.language, navigator.languages);
}

let wanted = 'en';

/** Where the texts cannot be fetched those that are shown stay. */
async function show(code: string): Promise<void> {
  wanted = code;
  if (!i18next.hasResourceBundle(code, NAMESPACE)) {
    const catalogue = await catalogues[`../locales/${code}.json`]?.().catch(() => undefined);
    if (!catalogue) return;
    i18next.addResourceBundle(code, NAMESPACE, catalogue);
  }
  // Somebody chose another meanwhile.
  if (code !== wanted) return;
  await i18next.changeLanguage(code);
  document.documentElement.lang = code;
}

function place(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString(locale()) : isolateName(String(value));
}
