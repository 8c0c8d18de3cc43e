import { button, element, show, write } from './ask';

void show('trust', ({ host, fingerprint, before }, texts, answer) => {
  const words = texts.trust;
  const changed = before !== undefined;
  document.body.classList.toggle('alarm', changed);
  write('h1', changed ? words.changedTitle : words.title);
  write('#lead', changed ? words.changedLead(host) : words.lead(host));
  write('#fingerprint-label', changed ? words.fingerprintNow : words.fingerprint);
  element('#fingerprint').append(...lines(fingerprint));
  write('#before-label', words.fingerprintBefore);
  element('#before').append(...lines(before ?? ''));
  button('#trust', words.trust, () => answer('trust')).hidden = changed;
  button('#retry', words.retry, () => answer('retry')).hidden = !changed;
  button('#other', words.other, () => answer('other')).focus();
  button('#forget', words.forget, () => answer('forget')).hidden = !changed;
  for (const id of ['#before-label', '#before']) element(id).hidden = !changed;
});

/** A fingerprint that goes on in the next line between two bytes only. */
function lines(fingerprint: string): Node[] {
  return fingerprint.split(/(?<=:)/).flatMap((byte) => [new Text(byte), document.createElement('wbr')]);
}
