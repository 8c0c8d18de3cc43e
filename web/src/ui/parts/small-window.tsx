import { createPortal } from 'react-dom';
import { useTranslation } from 'react-i18next';
import type { MeetingView } from '../../state/meeting-view';
import type { RoomSession } from '../../state/room-session';
import type { Signals } from '../../state/signals';
import type { PictureInPicture } from '../use-picture-in-picture';
import { Stage } from './stage';
import { ToggleButtons } from './toggle-buttons';

interface SmallWindowProps {
  session: RoomSession;
  view: MeetingView;
  signals: Signals;
  smallWindow: PictureInPicture;
}

/** The stage, in the page or, as long as that is open, in a small window in front of all others. */
export function StageSomewhere({ session, view, signals, smallWindow }: SmallWindowProps) {
  const { t } = useTranslation();
  const { window: small, toggle } = smallWindow;
  if (!small) return <Stage view={view} session={session} signals={signals} />;
  return (
    <>
      <div className="stage-away" data-testid="stage-away">
        <p>{t('smallWindow.isOpen')}</p>
        <button type="button" className="button" onClick={toggle}>
          {t('smallWindow.back')}
        </button>
      </div>
      {createPortal(
        <div className="small-window">
          <Stage view={view} session={session} signals={signals} small />
          <div className="small-window-controls">
            <ToggleButtons session={session} />
          </div>
        </div>,
        small.document.body,
      )}
    </>
  );
}
