import type { Fingerprint } from './fingerprint';

/** A window to share, or a screen, with a picture of it as a `data:` URL. */
export interface Source {
  id: string;
  name: string;
  kind: 'screen' | 'window';
  picture: string;
}

/** What an own page asks; each is a page of its own in src/pages. */
export type Question =
  /** Which server to use. `linked` when a link leads to another than `current`. */
  | { page: 'choose'; address: string; linked: boolean; current: string | undefined }
  /** Whether to trust a certificate that no authority vouches for. With `before` it is refused: another was trusted. */
  | { page: 'trust'; host: string; fingerprint: Fingerprint; before: Fingerprint | undefined }
  /** The server's page could not be shown. `reason` is Chromium's word for it. */
  | { page: 'unreachable'; host: string; reason: string }
  /** Whether to leave a meeting for another. */
  | { page: 'switch'; from: string; to: string }
  /** What to share. */
  | { page: 'picker'; sources: Source[]; withSound: boolean };

export type PageName = Question['page'];

export const PAGES: readonly PageName[] = ['choose', 'trust', 'unreachable', 'switch', 'picker'];

/** What somebody answers; closing the window is no answer. */
export interface Answers {
  choose: { server: string };
  trust: 'trust' | 'forget' | 'retry' | 'other';
  unreachable: 'retry' | 'other';
  switch: 'leave' | 'stay';
  picker: { id: string; sound: boolean };
}

/** What an own page is given by its preload script. */
export interface HyperionPage {
  /** The question, and the language to ask it in. */
  question(): Promise<{ question: Question; language: string }>;
  /** Answers and closes the window; `undefined` only closes it. */
  answer(answer: Answers[PageName] | undefined): void;
}
