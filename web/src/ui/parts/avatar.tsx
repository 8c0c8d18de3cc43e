import { initials, stableIndex } from '../../state/names';

const COLOURS = 10;

/** What stands for a person whose camera is off. */
export function Avatar({ name }: { name: string }) {
  return (
    <span className={`avatar avatar-${stableIndex(name, COLOURS)}`} aria-hidden="true">
      <span className="avatar-letters">{initials(name)}</span>
    </span>
  );
}
