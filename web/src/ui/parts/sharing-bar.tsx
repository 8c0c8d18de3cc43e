import { CircleAlert, MonitorUp, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { RoomSession } from '../../state/room-session';
import type { ScreenHint } from '../../state/screen-share';
import { useStore } from '../use-store';
import { Banner } from './banner';
import { FocusKept } from './focus-kept';

const HINTS: ScreenHint[] = ['detail', 'motion'];

/** While one shares one's screen: that it is so, what it is to be good at, and how it ends. */
export function SharingBar({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const { track, hint, audioTrack } = useStore(session.screen);
  return (
    <div role="status">
      {track && (
        <FocusKept className="sharing-bar" data-testid="sharing-bar" data-audio={audioTrack !== undefined}>
          <MonitorUp aria-hidden="true" />
          <p>{t(audioTrack ? 'screen.sharingWithSound' : 'screen.sharing')}</p>
          <label className="sharing-hint">
            <span>{t('screen.hintLabel')}</span>
            <select
              value={hint}
              data-testid="screen-hint"
              onChange={({ target }) => session.screen.setHint(target.value as ScreenHint)}
            >
              {HINTS.map((value) => (
                <option key={value} value={value}>
                  {t(`screen.hints.${value}`)}
                </option>
              ))}
            </select>
          </label>
          <button
            type="button"
            className="button small danger"
            data-testid="stop-sharing"
            onClick={() => session.screen.stop()}
          >
            {t('screen.stop')}
          </button>
        </FocusKept>
      )}
    </div>
  );
}

/** Why a screen could not be shared. */
export function ScreenProblemBanner({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const { problem } = useStore(session.screen);
  if (!problem) return null;
  return (
    <Banner role="alert" testId="screen-problem">
      <CircleAlert aria-hidden="true" />
      <p>{t(`screen.problems.${problem}`)}</p>
      <button
        type="button"
        className="icon-button"
        aria-label={t('meeting.dismiss')}
        onClick={() => session.screen.dismissProblem()}
      >
        <X aria-hidden="true" />
      </button>
    </Banner>
  );
}
