import type { Notice } from '../../state/meeting-view';
import { texts } from '../texts';

/** Who came and who went: seen for a moment, and said once by screen readers. */
export function Notices({ notices }: { notices: readonly Notice[] }) {
  return (
    <div className="notices" role="status" aria-live="polite" data-testid="notices">
      {notices.map(({ id, kind, name }) => (
        <p key={id} className="notice">
          {kind === 'joined' ? texts.meeting.joined(name) : texts.meeting.left(name)}
        </p>
      ))}
    </div>
  );
}
