import type { TFunction } from 'i18next';
import { useTranslation } from 'react-i18next';
import type { FailureCode } from '../../client';
import type { News, Notice } from '../../state/meeting-view';
import { cleanName, shortenName } from '../../state/names';

/** The end of a notice says what happened, and is to be read at a glance. */
const NAME_LENGTH_MAX = 40;

/** Who came and who went: seen for a moment, and said once by screen readers. */
export function Notices({ notices }: { notices: readonly Notice[] }) {
  const { t } = useTranslation();
  return (
    <div className="notices" role="status" aria-live="polite" data-testid="notices">
      {notices.map(({ id, news }) => (
        <p key={id} className="notice">
          {textOf(t, news)}
        </p>
      ))}
    </div>
  );
}

function textOf(t: TFunction, news: News): string {
  switch (news.kind) {
    case 'joined':
      return t('meeting.joined', { name: shortenName(news.name, NAME_LENGTH_MAX) });
    case 'left':
      return t('meeting.left', { name: shortenName(news.name, NAME_LENGTH_MAX) });
    case 'waits':
      return t('people.wants', { name: shortenName(cleanName(news.name), NAME_LENGTH_MAX) });
    case 'shares':
      return t('screen.shares', { name: shortenName(news.name, NAME_LENGTH_MAX) });
    case 'sharesNoMore':
      return t('screen.sharesNoMore', { name: shortenName(news.name, NAME_LENGTH_MAX) });
    case 'moderation':
      return t(`moderation.${news.code}`, {
        who: shortenName(news.who, NAME_LENGTH_MAX),
        by: shortenName(news.by, NAME_LENGTH_MAX) || t('people.somebody'),
      });
    case 'notAllowed':
      return t(`people.notAllowed.${news.what === 'screenAudio' ? 'screen' : news.what}`);
    case 'refused':
      return t(`people.refused.${isRefusal(news.code) ? news.code : 'other'}`);
    case 'copied':
      return t('meeting.linkCopied');
    case 'notCopied':
      return t('meeting.linkNotCopied');
  }
}

const REFUSALS = ['forbidden', 'not_found', 'timeout', 'log_unavailable', 'wrong_state', 'rate_limited'] as const;

/** Whether there is a sentence of its own for why something was not done. */
function isRefusal(code: FailureCode): code is (typeof REFUSALS)[number] {
  return (REFUSALS as readonly FailureCode[]).includes(code);
}
