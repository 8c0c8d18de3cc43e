/** Hebrew, Arabic and the scripts that Unicode keeps beside them. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name as it is shown: no control or direction characters, which could disguise it or upset the text beside it. */
export function cleanName(name: string): string {
  return name
    .replace(/[\p{Cc}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/** Names that are unique to the eye, in order of arrival: the second "Anna" is "Anna (2)". */
export function displayNames(people: readonly { id: string; name: string }[]): Map<string, string> {
  const counts = new Map<string, number>();
  return new Map(
    people.map(({ id, name }) => {
      const clean = cleanName(name);
      const key = clean.normalize('NFKC').toLowerCase();
      const count = (counts.get(key) ?? 0) + 1;
      counts.set(key, count);
      return [id, count === 1 ? clean : `${clean} (${count})`];
    }),
  );
}

/** The longest prefix of `name` that fits into `bytes` bytes of UTF-8, cut between characters as people see them. */
export function truncateName(name: string, bytes: number): string {
  const encoder = new TextEncoder();
  let size = 0;
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(name)) {
    size += encoder.encode(segment).length;
    if (size > bytes) break;
    kept += segment;
  }
  return kept;
}

/** `name`, or its beginning and an ellipsis if it has more characters, as people see them, than `length`. */
export function shortenName(name: string, length: number): string {
  const characters = Array.from(new Intl.Segmenter().segment(name), ({ segment }) => segment);
  return characters.length <= length
    ? name
    : `${characters
        .slice(0, length - 1)
        .join('')
        .trimEnd()}…`;
}

/** `name` as it goes into a sentence: what is written from right to left does not reorder the words around it. */
export function isolateName(name: string): string {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/** One or two letters for a picture-less tile. */
export function initials(name: string): string {
  const words = cleanName(name)
    .split(' ')
    .filter((word) => /^[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(word));
  const first = words[0];
  const last = words.length > 1 ? words.at(-1) : undefined;
  return [first, last].map((word) => firstLetter(word ?? '')).join('');
}

/** The same number from 0 to `count - 1` for the same name, everywhere. */
export function stableIndex(name: string, count: number): number {
  let hash = 0x811c9dc5;
  for (const char of cleanName(name).toLowerCase()) {
    hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  }
  return (hash >>> 0) % count;
}

function firstLetter(word: string): string {
  const [first] = new Intl.Segmenter().segment(word);
  return first?.segment.toUpperCase() ?? '';
}
