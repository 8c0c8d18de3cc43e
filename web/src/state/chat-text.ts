/** The server's default, `limits.chat_message_bytes_max`. */
export const CHAT_TEXT_BYTES_MAX = 4_096;

/** A piece of a message. */
export interface TextPart {
  readonly text: string;
  /** Where it leads, if it is a link. */
  readonly href?: string;
}

/** No white space, no quotes and angle brackets, and no control or direction characters, which could disguise it. */
const ADDRESS = /\bhttps?:\/\/[^\s<>"\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/giu;
const CLOSING: Record<string, string> = { ')': '(', ']': '[', '}': '{' };

/** The text with its http and https addresses apart; all of it together is the text as it was. */
export function textParts(text: string): TextPart[] {
  const parts: TextPart[] = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutSentence(found);
    if (!URL.canParse(address)) continue;
    if (index > end) parts.push({ text: text.slice(end, index) });
    parts.push({ text: address, href: address });
    end = index + address.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

/** The bytes of a text on the wire. */
export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** What ends the sentence or the parentheses around an address is not its own. */
function withoutSentence(found: string): string {
  let address = found;
  for (;;) {
    const last = address.at(-1) ?? '';
    const opening = CLOSING[last];
    const isOwn =
      opening === undefined ? !/[.,;:!?\u2026'’”»*_]/u.test(last) : count(address, opening) >= count(address, last);
    if (isOwn) return address;
    address = address.slice(0, -1);
  }
}

function count(text: string, character: string): number {
  return text.split(character).length - 1;
}
