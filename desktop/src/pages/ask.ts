import type { Answers, HyperionPage, PageName, Question } from '../shared/question';
import { languageOf, type Texts, textsFor } from '../texts';

declare global {
  interface Window {
    hyperionPage: HyperionPage;
  }
}

type Show<P extends PageName> = (
  question: Question & { page: P },
  texts: Texts,
  answer: (answer: Answers[P] | undefined) => void,
) => void;

/** Asks the main process what this page has to ask, and lets `show` do it. Escape closes the page. */
export async function show<P extends PageName>(page: P, fill: Show<P>): Promise<void> {
  const { question, language } = await window.hyperionPage.question();
  if (question.page !== page) throw new Error(`this page asks ${page}`);
  document.documentElement.lang = languageOf(language);
  document.addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') window.hyperionPage.answer(undefined);
  });
  fill(question as Question & { page: P }, textsFor(language), (answer) => window.hyperionPage.answer(answer));
  document.title = element('h1').textContent ?? '';
}

/** The page's element of this name; its pages are written with it. */
export function element<E extends HTMLElement = HTMLElement>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

export function write(selector: string, words: string): void {
  element(selector).textContent = words;
}

/** Gives a button its words and what it does. */
export function button(selector: string, words: string, press?: () => void): HTMLButtonElement {
  const found = element<HTMLButtonElement>(selector);
  found.textContent = words;
  if (press) found.addEventListener('click', press);
  return found;
}
