import { de } from './de';
import { en, type Texts } from './en';
import { es } from './es';
import { fr } from './fr';
import { zh } from './zh';

export type { Texts };

const CATALOGUES: Record<string, Texts> = { en, de, fr, es, zh };

/** The languages that there are texts in. */
export const LANGUAGES: readonly string[] = Object.keys(CATALOGUES);

/** The texts for a locale, as `de-AT`; English where there are none. */
export function textsFor(locale: string): Texts {
  return CATALOGUES[languageOf(locale)] ?? en;
}

/** A locale's language, where there are texts in it. */
export function languageOf(locale: string): string {
  const language = locale.toLowerCase().split(/[-_]/)[0] ?? '';
  return LANGUAGES.includes(language) ? language : 'en';
}
