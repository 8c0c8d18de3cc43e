import { useTranslation } from 'react-i18next';
import { locale } from './language';

interface Dates {
  time: Intl.DateTimeFormat;
  dateAndTime: Intl.DateTimeFormat;
}

/** Making one takes long, and a chat has many. */
const made = new Map<string, Dates>();

/** How points in time are written in the language of the page. */
export function useDates(): Dates {
  // Another language renders anew.
  useTranslation();
  const where = locale();
  const dates = made.get(where) ?? {
    time: new Intl.DateTimeFormat(where, { timeStyle: 'short' }),
    dateAndTime: new Intl.DateTimeFormat(where, { dateStyle: 'medium', timeStyle: 'short' }),
  };
  made.set(where, dates);
  return dates;
}
