import { describe, expect, it } from 'vitest';
import { bytesOf, textParts } from './chat-text';

const links = (text: string) => textParts(text).flatMap(({ href }) => href ?? []);

describe('textParts', () => {
  it('takes addresses apart from the text around them, and changes nothing', () => {
    const text = 'see https://example.com/a?b=c#d, or\nhttp://localhost:4400/r/x!';
    expect(links(text)).toEqual(['https://example.com/a?b=c#d', 'http://localhost:4400/r/x']);
    expect(
      textParts(text)
        .map((part) => part.text)
        .join(''),
    ).toBe(text);
  });

  it('leaves parentheses to the sentence that opened them', () => {
    expect(links('(https://example.com/a)')).toEqual(['https://example.com/a']);
    expect(links('https://example.com/a_(b) and')).toEqual(['https://example.com/a_(b)']);
  });

  it('makes no link of anything else', () => {
    const other = 'javascript:alert(1) data:text/html,x ftp://example.com www.example.com https:// http://[';
    expect(links(other)).toEqual([]);
    expect(textParts('<b>no</b>')).toEqual([{ text: '<b>no</b>' }]);
    expect(textParts('')).toEqual([]);
  });

  it('ends an address where something would disguise it', () => {
    expect(links('https://example.com/\u202egnp.exe')).toEqual(['https://example.com/']);
    expect(links('"https://example.com"<https://example.org>')).toEqual(['https://example.com', 'https://example.org']);
  });
});

it('counts bytes, not characters', () => {
  expect(bytesOf('aé😀')).toBe(7);
});
