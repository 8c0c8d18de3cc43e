import { readServerAddress } from '../shared/server-address';
import { button, element, show, write } from './ask';

void show('choose', ({ address, linked, current }, texts, answer) => {
  const words = texts.choose;
  const input = element<HTMLInputElement>('#address');
  write('h1', linked ? words.linkedTitle : words.title);
  write('#lead', linked ? words.linkedLead(current) : words.lead);
  write('label', words.label);
  write('#example', words.example);
  button('#connect', words.connect);
  button('#cancel', words.cancel, () => answer(undefined));
  input.value = address;
  input.focus();
  input.addEventListener('input', () => {
    input.removeAttribute('aria-invalid');
    write('#problem', '');
  });
  element('form').addEventListener('submit', (event) => {
    event.preventDefault();
    const typed = readServerAddress(input.value);
    if ('server' in typed) {
      answer(typed);
      return;
    }
    write('#problem', words.problems[typed.problem]);
    input.setAttribute('aria-invalid', 'true');
    input.focus();
  });
});
