import { button, show, write } from './ask';

void show('unreachable', ({ host, reason }, texts, answer) => {
  const words = texts.unreachable;
  write('h1', words.title(host));
  write('#lead', words.lead);
  write('#reason-label', words.reason);
  write('#reason', reason);
  button('#retry', words.retry, () => answer('retry')).focus();
  button('#other', words.other, () => answer('other'));
});
