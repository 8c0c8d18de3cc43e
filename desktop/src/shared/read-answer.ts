import type { Answers, PageName, Question } from './question';
import { readServerAddress } from './server-address';

const WORDS = {
  trust: ['trust', 'forget', 'retry', 'other'],
  unreachable: ['retry', 'other'],
  switch: ['leave', 'stay'],
} as const;

/** What came from a page as the answer to `question`; `undefined` for what cannot be one. */
export function readAnswer(question: Question, value: unknown): Answers[PageName] | undefined {
  switch (question.page) {
    case 'choose': {
      const typed = readServerAddress(textOf(value, 'server'));
      return 'server' in typed ? typed : undefined;
    }
    case 'picker': {
      const id = textOf(value, 'id');
      if (!question.sources.some((source) => source.id === id)) return undefined;
      return { id, sound: question.withSound && (value as { sound?: unknown }).sound === true };
    }
    case 'trust':
      // What was trusted before is refused whatever the page says, until it is forgotten.
      if (value === (question.before === undefined ? 'forget' : 'trust')) return undefined;
      return WORDS.trust.find((word) => word === value);
    case 'unreachable':
      return WORDS.unreachable.find((word) => word === value);
    case 'switch':
      return WORDS.switch.find((word) => word === value);
  }
}

function textOf(value: unknown, key: string): string {
  const text = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[key] : undefined;
  return typeof text === 'string' ? text : '';
}
