/** Without the pairs that are hard to tell apart when read aloud or off paper. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
/** 26 letters of 5 bits: at least 128 bits, so that a room cannot be found by guessing. */
const LENGTH = 26;
const LENGTH_MAX = 64;

/** Whether the server takes `text` as the name of a room. */
export function isRoomName(text: string): boolean {
  return text.length <= LENGTH_MAX && /^[a-z0-9_-]+$/.test(text);
}

/** A new name that nobody can guess. */
export function randomRoomName(
  random: (bytes: Uint8Array<ArrayBuffer>) => void = (bytes) => crypto.getRandomValues(bytes),
): string {
  const bytes = new Uint8Array(LENGTH);
  random(bytes);
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** The room that somebody means who typed a name or pasted a link; `undefined` if that is neither. */
export function parseRoom(text: string): string | undefined {
  const trimmed = text.trim();
  const link = /(?:^|\/)r\/([^/?#\s]+)/.exec(trimmed)?.[1];
  const name = (link ?? trimmed).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/\s+/g, '-');
  return isRoomName(name) ? name : undefined;
}

/** The path of a room's page. */
export function roomPath(room: string): string {
  return `/r/${room}`;
}
