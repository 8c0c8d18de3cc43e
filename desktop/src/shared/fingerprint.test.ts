import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { isFingerprint, readFingerprint } from './fingerprint';

test("Electron's fingerprint is read as the server prints it", () => {
  const hash = createHash('sha256').update('a certificate');
  const hex = hash.copy().digest('hex').toUpperCase();
  const fingerprint = readFingerprint(`sha256/${hash.digest('base64')}`);
  expect(fingerprint?.replaceAll(':', '')).toBe(hex);
  expect(isFingerprint(fingerprint)).toBe(true);
});

test.each([
  '',
  'sha256/',
  'sha1/qUiQTy8PR5uPgZdpSzAYSw0u0cE=',
  `sha256/${'!'.repeat(43)}=`,
  `sha256/${'A'.repeat(44)}`,
])('%s is no fingerprint of a certificate', (text) => {
  expect(readFingerprint(text)).toBeUndefined();
});

test('a fingerprint that is cut or written otherwise is none', () => {
  const whole = Array(32).fill('AB').join(':');
  expect(isFingerprint(whole)).toBe(true);
  for (const value of [whole.slice(3), whole.toLowerCase(), `${whole}:AB`, '', undefined, 7]) {
    expect(isFingerprint(value)).toBe(false);
  }
});
