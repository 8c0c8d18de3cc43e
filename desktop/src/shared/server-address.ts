/** What was typed as a server's address, or why it is none. */
export type TypedAddress = { server: string } | { problem: AddressProblem };

export type AddressProblem = 'empty' | 'invalid' | 'insecure';

/** Longer than any name that DNS has, with a scheme and a port. */
const LENGTH_MAX = 300;

/** Reads a server's address, of which people leave out the scheme; `server` is an origin, as
 *  `https://meet.example.org`. */
export function readServerAddress(text: string): TypedAddress {
  const typed = text.trim();
  if (typed === '') return { problem: 'empty' };
  if (typed.length > LENGTH_MAX || /\s/.test(typed)) return { problem: 'invalid' };
  const url = parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(typed) ? typed : `https://${typed}`);
  if (!url || url.hostname === '' || url.username !== '' || url.password !== '') return { problem: 'invalid' };
  const typedScheme = typed.includes('://');
  if (url.protocol === 'https:') {
    // A server on this computer speaks plain HTTP unless told otherwise.
    return { server: !typedScheme && isLoopback(url.hostname) ? url.origin.replace('https:', 'http:') : url.origin };
  }
  if (url.protocol !== 'http:') return { problem: 'invalid' };
  // Camera and microphone are given to secure pages only, and these are no others.
  return isLoopback(url.hostname) ? { server: url.origin } : { problem: 'insecure' };
}

/** Whether a host is this computer for whoever asks it. */
export function isLoopback(hostname: string): boolean {
  return /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/.test(hostname);
}

/** `undefined` where `text` is no URL. */
export function parse(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
