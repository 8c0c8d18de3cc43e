import { MicOff } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { MutedSpeech } from '../../state/muted-speech';
import type { RoomSession } from '../../state/room-session';

/** For who speaks while nobody can hear it. */
export function MutedHint({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const [speaks, setSpeaks] = useState(false);

  useEffect(() => {
    const speech = new MutedSpeech(session.media);
    const off = speech.subscribe(() => setSpeaks(speech.get()));
    return () => {
      off();
      speech.close();
    };
  }, [session]);

  return (
    <div className="muted-hint" role="status">
      {speaks && (
        <p data-testid="muted-hint">
          <MicOff aria-hidden="true" />
          <span>
            <strong>{t('talk.mutedSpeech')}</strong> <span className="muted-hint-keys">{t('talk.holdSpace')}</span>
          </span>
        </p>
      )}
    </div>
  );
}
