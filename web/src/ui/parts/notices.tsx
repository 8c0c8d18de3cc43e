import type { News, Notice } from '../../state/meeting-view';
import { texts } from '../texts';

/** Who came and who went: seen for a moment, and said once by screen readers. */
export function Notices({ notices }: { notices: readonly Notice[] }) {
  return (
    <div className="notices" role="status" aria-live="polite" data-testid="notices">
      {notices.map(({ id, news }) => (
        <p key={id} className="notice">
          {textOf(news)}
        </p>
      ))}
    </div>
  );
}

function textOf(news: News): string {
  switch (news.kind) {
    case 'joined':
      return texts.meeting.joined(news.name);
    case 'left':
      return texts.meeting.left(news.name);
    case 'micNotSent':
      return texts.meeting.micNotSent;
    case 'cameraNotSent':
      return texts.meeting.cameraNotSent;
  }
}
