/** Names and links are told apart by their ends, which stay. */
const END_LENGTH = 8;

/** One line that is cut in the middle where it is too long for its place. */
export function MiddleCut({ text, className = '' }: { text: string; className?: string }) {
  return (
    <span className={`middle-cut ${className}`} title={text}>
      <span>{text.slice(0, -END_LENGTH)}</span>
      <span>{text.slice(-END_LENGTH)}</span>
    </span>
  );
}
