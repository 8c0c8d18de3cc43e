/** The first of the languages `wanted` that is among `available`, if need be without its region: `de` for `de-AT`. */
export function bestLanguage(wanted: readonly string[], available: readonly string[]): string | undefined {
  for (const tag of wanted) {
    const parts = tag.toLowerCase().split(/[-_@.]/);
    for (let length = parts.length; length > 0; length--) {
      const code = parts.slice(0, length).join('-');
      const found = available.find((one) => one.toLowerCase() === code);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** Where dates and numbers are written as in `language` and as where the person lives: `en-GB` rather than `en`. */
export function formatLocale(language: string, wanted: readonly string[]): string {
  // Some systems name what no Intl takes, as `en-US@posix`.
  const regional = wanted.filter((tag) => /^[a-z\d]+(-[a-z\d]+)*$/i.test(tag));
  return regional.find((tag) => bestLanguage([tag], [language]) !== undefined) ?? language;
}
