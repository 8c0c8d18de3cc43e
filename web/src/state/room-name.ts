import { isLoopback } from './browser';

/** Without the pairs that are hard to tell apart when read aloud or off paper. */
const ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789';
/** 26 letters of 5 bits: at least 128 bits, so that a room cannot be found by guessing. */
const LENGTH = 26;
const LENGTH_MAX = 64;
const CHARACTERS = /^[a-z0-9_-]+$/;

/** What somebody means who typed a name or pasted a link, or why that leads nowhere. */
export type Typed = { room: string } | { problem: 'noName' | 'tooLong' } | { problem: 'elsewhere'; host: string };

/** Whether the server takes `text` as the name of a room. */
export function isRoomName(text: string): boolean {
  return text.length <= LENGTH_MAX && CHARACTERS.test(text);
}

/** A new name that nobody can guess. */
export function randomRoomName(
  random: (bytes: Uint8Array<ArrayBuffer>) => void = (bytes) => crypto.getRandomValues(bytes),
): string {
  const bytes = new Uint8Array(LENGTH);
  random(bytes);
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** Reads what was typed on a page of `host`: a link to another server is not taken for a room of this one. */
export function readTyped(text: string, host: string): Typed {
  const there = hostOfLink(text.trim());
  if (there !== undefined && !isSameServer(there, host)) return { problem: 'elsewhere', host: there };
  const name = nameIn(text);
  if (isRoomName(name)) return { room: name };
  return { problem: CHARACTERS.test(name) ? 'tooLong' : 'noName' };
}

/** The room of a page's path; `undefined` if there is none. */
export function roomOfPath(path: string): string | undefined {
  const segment = /^\/r\/([^/]+)\/?$/.exec(path)?.[1];
  return segment === undefined ? undefined : parseRoom(decode(segment));
}

/** The room that `text` names; `undefined` if there is none. */
export function parseRoom(text: string): string | undefined {
  const name = nameIn(text);
  return isRoomName(name) ? name : undefined;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

/** Whether two hosts, with their ports, are the same server: this computer has several names. */
function isSameServer(one: string, other: string): boolean {
  if (one === other) return true;
  const [here, there] = [one, other].map((host) => /^(.*?)(:\d+)?$/.exec(host) ?? []);
  return here?.[2] === there?.[2] && [here, there].every((host) => isLoopback(host?.[1] ?? ''));
}

function nameIn(text: string): string {
  const trimmed = text.trim();
  const link = /(?:^|\/)r\/([^/?#\s]+)/.exec(trimmed)?.[1];
  return (link ?? trimmed).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/\s+/g, '-');
}

/** As `location.host` spells it; people leave out the scheme. */
function hostOfLink(text: string): string | undefined {
  const [, scheme = 'https://', host] = /^(https?:\/\/)?([^/\s]+)\/(?:\S*\/)?r\//i.exec(text) ?? [];
  if (host === undefined) return undefined;
  return URL.canParse(scheme + host) ? new URL(scheme + host).host : host;
}

/** The path of a room's page. */
export function roomPath(room: string): string {
  return `/r/${room}`;
}
