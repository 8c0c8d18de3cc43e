import type { Certificate, Event } from 'electron';
import { describe, expect, test } from 'vitest';
import { readFingerprint } from '../shared/fingerprint';
import { CertificateGuard, judge } from './trust';

const ONE = `sha256/${'A'.repeat(42)}A=`;
const OTHER = `sha256/${'A'.repeat(42)}E=`;
const pin = readFingerprint(ONE);

function shown(guard: CertificateGuard, url: string, fingerprint: string): { trusted: boolean; prevented: boolean } {
  let prevented = false;
  let trusted = false;
  const event = { preventDefault: () => (prevented = true) } as unknown as Event;
  guard.handle(event, url, 'net::ERR_CERT_AUTHORITY_INVALID', { fingerprint } as Certificate, (is) => {
    trusted = is;
  });
  return { trusted, prevented };
}

test('only the very certificate that was trusted is', () => {
  expect(judge(pin, pin)).toBe('pinned');
  expect(judge(readFingerprint(OTHER), pin)).toBe('changed');
  expect(judge(pin, undefined)).toBe('unknown');
  expect(judge(undefined, pin)).toBe('changed');
  expect(judge(undefined, undefined)).toBe('unknown');
});

describe('a guard', () => {
  let alarms = 0;
  const guard = new CertificateGuard(
    (host) => (host === 'meet.example.org:4400' ? pin : undefined),
    () => alarms++,
  );

  test('lets the pinned certificate pass, at its host and port only', () => {
    expect(shown(guard, 'https://meet.example.org:4400/', ONE)).toEqual({ trusted: true, prevented: true });
    expect(shown(guard, 'wss://meet.example.org:4400/socket.io/', ONE).trusted).toBe(true);
    expect(shown(guard, 'https://meet.example.org:4401/', ONE).trusted).toBe(false);
    expect(shown(guard, 'https://evil.example/', ONE).trusted).toBe(false);
    expect(alarms).toBe(0);
  });

  test('tells which certificate it refused once, and at once that it is another', () => {
    expect(shown(guard, 'wss://meet.example.org:4400/socket.io/', OTHER).trusted).toBe(false);
    expect(alarms).toBe(1);
    expect(guard.takeRefused('meet.example.org:4400')).toBe(readFingerprint(OTHER));
    expect(guard.takeRefused('meet.example.org:4400')).toBeUndefined();
  });

  test('refuses what shows no fingerprint', () => {
    expect(shown(guard, 'https://meet.example.org:4400/', '').trusted).toBe(false);
  });
});
