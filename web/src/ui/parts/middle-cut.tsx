/** Names and links are told apart by their ends, which stay. */
const END_LENGTH = 6;

/** One line that is cut in the middle where it is too long for its place. */
export function MiddleCut({ text, className = '' }: { text: string; className?: string }) {
  const cut = text.length > 2 * END_LENGTH ? text.length - END_LENGTH : text.length;
  return (
    <span className={`middle-cut ${className}`} title={text}>
      <span>{text.slice(0, cut)}</span>
      <span>{text.slice(cut)}</span>
    </span>
  );
}
