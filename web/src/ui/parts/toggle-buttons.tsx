import { Mic, MicOff, TriangleAlert, Video, VideoOff } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { isLive, type LocalKind } from '../../state/local-media';
import type { MeetingState } from '../../state/meeting-view';
import type { RoomSession } from '../../state/room-session';
import { shortcutText } from '../shortcut-text';
import { useStore } from '../use-store';

const looks = {
  mic: { On: Mic, Off: MicOff, letter: 'D' },
  camera: { On: Video, Off: VideoOff, letter: 'E' },
};

interface ToggleButtonsProps {
  session: RoomSession;
  /** Shows what is wrong with a device; without it the page does anyway, and a click tries the device again. */
  onProblem?: () => void;
  /** What others do not get although it is on. */
  notSent?: MeetingState['notSent'];
}

/** Microphone and camera on and off. */
export function ToggleButtons(props: ToggleButtonsProps) {
  return (
    <>
      <ToggleButton kind="mic" {...props} />
      <ToggleButton kind="camera" {...props} />
    </>
  );
}

function ToggleButton({ session, kind, onProblem, notSent }: ToggleButtonsProps & { kind: LocalKind }) {
  const { t } = useTranslation();
  const device = useStore(session.media)[kind];
  const { on, problem } = device;
  const live = isLive(device);
  const starts = device.starting && !live;
  const look = looks[kind];
  const Icon = live ? look.On : look.Off;
  const lacking = live && notSent?.[kind] !== undefined;
  const explains = problem !== undefined && onProblem !== undefined;

  const click = async () => {
    if (!explains) await session.toggle(kind);
    if (session.media.get()[kind].problem) onProblem?.();
  };

  const says = explains ? 'problem' : lacking ? 'notSent' : on ? 'on' : 'off';
  const shortcut = shortcutText(t, look.letter);
  return (
    <button
      type="button"
      className={`round-button tip ${live || starts ? '' : 'off'}`}
      aria-label={t(`controls.${kind}.${says}`, { shortcut })}
      data-testid={`toggle-${kind}`}
      aria-busy={starts}
      data-on={live}
      onClick={click}
    >
      {starts ? <span className="spinner" aria-hidden="true" /> : <Icon aria-hidden="true" />}
      {(problem || lacking) && <TriangleAlert className="round-button-mark" aria-hidden="true" />}
    </button>
  );
}
