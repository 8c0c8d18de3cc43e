import { TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { isLive } from '../../state/local-media';
import type { MeetingView } from '../../state/meeting-view';
import type { RoomSession } from '../../state/room-session';
import { useStore } from '../use-store';
import { Banner } from './banner';

/** That others do not get one's microphone or camera, until they do. */
export function NotSent({ session, view }: { session: RoomSession; view: MeetingView }) {
  const { t } = useTranslation();
  const { notSent } = useStore(view);
  const media = useStore(session.media);
  const mic = isLive(media.mic) ? notSent.mic : undefined;
  const camera = isLive(media.camera) ? notSent.camera : undefined;
  if (!mic && !camera) return null;

  const again = () => {
    view.tryingAgain();
    session.sendAgain();
  };

  const failed = mic === 'failed' || camera === 'failed';
  return (
    <Banner role="alert" testId="not-sent">
      <TriangleAlert aria-hidden="true" />
      <p>{mic && camera ? t('meeting.nothingSent') : mic ? t('meeting.micNotSent') : t('meeting.cameraNotSent')}</p>
      <button type="button" className="button small" aria-disabled={!failed} onClick={() => failed && again()}>
        {failed ? t('meeting.tryAgain') : t('meeting.tryingAgain')}
      </button>
    </Banner>
  );
}
