import { button, show, write } from './ask';

void show('switch', ({ from, to }, texts, answer) => {
  const words = texts.switch;
  write('h1', words.title);
  write('#lead', words.lead(from, to));
  button('#leave', words.leave, () => answer('leave'));
  button('#stay', words.stay, () => answer('stay')).focus();
});
