/** A certificate's SHA-256 as the server prints it: 32 bytes in capital hex, joined by colons. */
export type Fingerprint = string;

export function isFingerprint(value: unknown): value is Fingerprint {
  return typeof value === 'string' && /^[0-9A-F]{2}(:[0-9A-F]{2}){31}$/.test(value);
}

/** Reads Electron's `sha256/…` in base64; `undefined` for what is none. */
export function readFingerprint(text: string): Fingerprint | undefined {
  const base64 = /^sha256\/([A-Za-z0-9+/]{43}=)$/.exec(text)?.[1];
  if (base64 === undefined) return undefined;
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
}
