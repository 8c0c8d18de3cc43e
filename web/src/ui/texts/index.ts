import { en, type Texts } from './en';

/** The texts in the language of this page. */
export const texts: Texts = en;
