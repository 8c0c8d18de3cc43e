import { Hand, Users } from 'lucide-react';
import type { RefObject } from 'react';
import { useTranslation } from 'react-i18next';
import type { MeetingView } from '../../state/meeting-view';
import { useStore } from '../use-store';

interface PeopleButtonProps {
  view: MeetingView;
  open: boolean;
  button: RefObject<HTMLButtonElement | null>;
  onClick: () => void;
}

/** How many are here, and how many raised their hand; opens the list of them. */
export function PeopleButton({ view, open, button, onClick }: PeopleButtonProps) {
  const { t } = useTranslation();
  const { participants } = useStore(view);
  const hands = participants.filter(({ hand }) => hand !== undefined).length;
  const here = t('meeting.count', { count: participants.length });
  return (
    <button
      ref={button}
      type="button"
      className="meeting-people"
      aria-expanded={open}
      aria-controls={open ? 'people' : undefined}
      data-testid="toggle-people"
      onClick={onClick}
    >
      <span className="visually-hidden">
        {hands > 0 ? t('people.openWithHands', { here, count: hands }) : t('people.open', { here })}
      </span>
      {hands > 0 && (
        <span className="meeting-hands" aria-hidden="true" data-testid="hand-count">
          <Hand />
          {hands}
        </span>
      )}
      <Users aria-hidden="true" />
      <span aria-hidden="true" data-testid="participant-count">
        {participants.length}
      </span>
    </button>
  );
}
