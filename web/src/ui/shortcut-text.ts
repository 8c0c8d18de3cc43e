import type { TFunction } from 'i18next';
import { isApple } from '../state/browser';

/** What is printed on the keys to press. */
export function shortcutText(t: TFunction, letter: string): string {
  return t(`controls.shortcut.${isApple() ? 'apple' : 'other'}`, { letter });
}
