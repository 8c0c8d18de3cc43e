import type { News, Notice } from '../../state/meeting-view';
import { shortenName } from '../../state/names';
import { texts } from '../texts';

/** The end of a notice says what happened, and is to be read at a glance. */
const NAME_LENGTH_MAX = 40;

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
      return texts.meeting.joined(shortenName(news.name, NAME_LENGTH_MAX));
    case 'left':
      return texts.meeting.left(shortenName(news.name, NAME_LENGTH_MAX));
    case 'shares':
      return texts.screen.shares(shortenName(news.name, NAME_LENGTH_MAX));
    case 'sharesNoMore':
      return texts.screen.sharesNoMore(shortenName(news.name, NAME_LENGTH_MAX));
    case 'copied':
      return texts.meeting.linkCopied;
    case 'notCopied':
      return texts.meeting.linkNotCopied;
  }
}
