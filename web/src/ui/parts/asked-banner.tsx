import { MicOff, VideoOff } from 'lucide-react';
import { useEffect } from 'react';
import { useTranslation } from 'react-i18next';
import type { MeetingView } from '../../state/meeting-view';
import type { RoomSession } from '../../state/room-session';
import { useStore } from '../use-store';
import { Banner } from './banner';

/** A host would like to hear or see one; only oneself turns anything on. */
export function AskedBanner({ session, view }: { session: RoomSession; view: MeetingView }) {
  const { t } = useTranslation();
  const { asked } = useStore(view);
  const media = useStore(session.media);
  const kind = asked?.source === 'camera' ? 'camera' : 'mic';
  const isOn = media[kind].on;

  // Whoever turns it on by another button has answered too.
  useEffect(() => {
    if (asked && isOn) view.answered();
  }, [asked, isOn, view]);

  if (!asked || isOn) return null;
  const Icon = kind === 'camera' ? VideoOff : MicOff;
  const answer = (yes: boolean) => {
    view.answered();
    if (yes) void session.toggle(kind);
  };
  return (
    <Banner role="alert" testId="asked">
      <Icon aria-hidden="true" />
      <p>{t(`people.asks.${kind}`, { by: asked.by })}</p>
      <button type="button" className="button small primary" data-testid="asked-yes" onClick={() => answer(true)}>
        {t(`people.turnOn.${kind}`)}
      </button>
      <button type="button" className="button small" data-testid="asked-no" onClick={() => answer(false)}>
        {t('people.notNow')}
      </button>
    </Banner>
  );
}
