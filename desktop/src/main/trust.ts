import type { Certificate, Event, WebContents } from 'electron';
import { type Fingerprint, readFingerprint } from '../shared/fingerprint';
import { parse } from '../shared/server-address';

/** What a certificate is that the system does not trust: the one that was trusted by hand, one that nobody has looked
 *  at, or another than the one that was trusted. */
export type Verdict = 'pinned' | 'unknown' | 'changed';

export function judge(fingerprint: Fingerprint | undefined, pin: Fingerprint | undefined): Verdict {
  if (pin === undefined) return 'unknown';
  return fingerprint === pin ? 'pinned' : 'changed';
}

/** The server's certificate where the system does not trust it. Chromium asks for each connection; a verifier of our own
 *  (`setCertificateVerifyProc`) would be asked once and its answer kept, also after somebody trusts the certificate. */
export class CertificateGuard {
  readonly #pinOf: (host: string) => Fingerprint | undefined;
  readonly #onChanged: () => void;
  /** What was refused last. */
  #refused: { host: string; fingerprint: Fingerprint } | undefined;

  /** `onChanged` is called when another certificate than the pinned one is refused, be it in the middle of a meeting: a
   *  page that only tries again would not say so. */
  constructor(pinOf: (host: string) => Fingerprint | undefined, onChanged: () => void) {
    this.#pinOf = pinOf;
    this.#onChanged = onChanged;
  }

  /** For the event `certificate-error` of the server's page. */
  readonly handle = (
    event: Event,
    url: string,
    _error: string,
    certificate: Certificate,
    callback: (isTrusted: boolean) => void,
  ): void => {
    event.preventDefault();
    const host = parse(url)?.host ?? '';
    const fingerprint = readFingerprint(certificate.fingerprint);
    const verdict = judge(fingerprint, this.#pinOf(host));
    if (verdict !== 'pinned' && fingerprint !== undefined) this.#refused = { host, fingerprint };
    callback(verdict === 'pinned');
    if (verdict === 'changed') this.#onChanged();
  };

  watch(contents: WebContents): void {
    contents.on('certificate-error', this.handle);
  }

  /** The certificate that was refused for a host, once. */
  takeRefused(host: string): Fingerprint | undefined {
    const refused = this.#refused;
    this.#refused = undefined;
    return refused?.host === host ? refused.fingerprint : undefined;
  }
}
