import { TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { MeetingView } from '../../state/meeting-view';
import { cleanName } from '../../state/names';
import { useStore } from '../use-store';
import { Avatar } from './avatar';
import { FocusKept } from './focus-kept';

/** For hosts: who waits to be let in. */
export function WaitingList({ view }: { view: MeetingView }) {
  const { t } = useTranslation();
  const { waiting } = useStore(view);
  if (waiting.length === 0) return null;
  return (
    <section aria-labelledby="waiting-title" data-testid="waiting">
      <div className="people-head">
        <h3 id="waiting-title">{t('people.waiting', { count: waiting.length })}</h3>
        {waiting.length > 1 && (
          <button
            type="button"
            className="link-button"
            data-testid="admit-all"
            onClick={() => view.moderate({ action: 'admit' })}
          >
            {t('people.admitAll')}
          </button>
        )}
      </div>
      <ul className="people-list">
        {waiting.map(({ id: participantId, name, removedBefore }) => (
          <li key={participantId}>
            <FocusKept className="person" data-testid="waiting-person" data-name={name}>
              <Avatar name={name} />
              <div className="person-name">
                <bdi>{cleanName(name)}</bdi>
                {removedBefore && (
                  <span className="person-role warned">
                    <TriangleAlert aria-hidden="true" />
                    {t('people.removedBefore')}
                  </span>
                )}
              </div>
              <button
                type="button"
                className="button small primary"
                aria-label={t('people.admitName', { name })}
                data-testid="admit"
                onClick={() => view.moderate({ action: 'admit', participantId })}
              >
                {t('people.admit')}
              </button>
              <button
                type="button"
                className="button small"
                aria-label={t('people.denyName', { name })}
                data-testid="deny"
                onClick={() => view.moderate({ action: 'deny', participantId })}
              >
                {t('people.deny')}
              </button>
            </FocusKept>
          </li>
        ))}
      </ul>
    </section>
  );
}
