import { Hand } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { MeetingView } from '../../state/meeting-view';
import { useStore } from '../use-store';

/** Raises one's hand and lowers it. */
export function HandButton({ view }: { view: MeetingView }) {
  const { t } = useTranslation();
  const { participants, selfId } = useStore(view);
  const raised = participants.find(({ id }) => id === selfId)?.hand !== undefined;
  return (
    <button
      type="button"
      className={`round-button tip ${raised ? 'active' : ''}`}
      aria-label={t(raised ? 'people.lowerHand' : 'people.raiseHand')}
      aria-pressed={raised}
      data-testid="toggle-hand"
      onClick={() => view.raiseHand(!raised)}
    >
      <Hand aria-hidden="true" />
    </button>
  );
}
