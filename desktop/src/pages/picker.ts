import type { Source } from '../shared/question';
import { button, element, show, write } from './ask';

void show('picker', ({ sources, withSound }, texts, answer) => {
  const words = texts.picker;
  const sound = element<HTMLInputElement>('#sound');
  const share = button('#share', words.share);
  write('h1', words.title);
  write('#screens legend', words.screens);
  write('#windows legend', words.windows);
  write('#none', words.none);
  write('#sound-label span', words.sound);
  element('#sound-label').hidden = !withSound;
  element('#none').hidden = sources.length > 0;
  for (const kind of ['screen', 'window'] as const) {
    const group = element(`#${kind}s`);
    const choices = sources.filter((source) => source.kind === kind).map(choice);
    group.append(...choices);
    group.hidden = choices.length === 0;
  }
  document.querySelector<HTMLInputElement>('[name="source"]')?.focus();
  button('#cancel', words.cancel, () => answer(undefined));
  const form = element<HTMLFormElement>('form');
  form.addEventListener('change', () => {
    share.disabled = false;
  });
  const submit = () => {
    const id = new FormData(form).get('source');
    if (typeof id === 'string') answer({ id, sound: sound.checked });
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    submit();
  });
  form.addEventListener('dblclick', submit);
});

/** A radio button with the picture of what it stands for: the keys for it are the browser's own. */
function choice({ id, name, picture }: Source): HTMLElement {
  const label = document.createElement('label');
  label.className = 'source';
  const radio = document.createElement('input');
  radio.type = 'radio';
  radio.name = 'source';
  radio.value = id;
  const image = document.createElement('img');
  image.alt = '';
  image.src = picture;
  const caption = document.createElement('span');
  caption.textContent = name;
  caption.title = name;
  label.append(radio, image, caption);
  return label;
}
