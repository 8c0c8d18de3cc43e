import { Mic, MicOff, TriangleAlert, Video, VideoOff } from 'lucide-react';
import { isApple } from '../../state/browser';
import type { LocalKind } from '../../state/local-media';
import type { RoomSession } from '../../state/room-session';
import { texts } from '../texts';
import { useStore } from '../use-store';

const key = isApple() ? texts.controls.commandKey : texts.controls.controlKey;

const looks = {
  mic: {
    On: Mic,
    Off: MicOff,
    on: texts.controls.micOn(`${key}D`),
    off: texts.controls.micOff(`${key}D`),
    problem: texts.controls.micProblem,
  },
  camera: {
    On: Video,
    Off: VideoOff,
    on: texts.controls.cameraOn(`${key}E`),
    off: texts.controls.cameraOff(`${key}E`),
    problem: texts.controls.cameraProblem,
  },
};

interface ToggleButtonsProps {
  session: RoomSession;
  /** Shows what is wrong with a device; without it the page does anyway, and a click tries the device again. */
  onProblem?: () => void;
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

function ToggleButton({ session, kind, onProblem }: ToggleButtonsProps & { kind: LocalKind }) {
  const { on, problem } = useStore(session.media)[kind];
  const look = looks[kind];
  const Icon = on ? look.On : look.Off;
  const explains = problem !== undefined && onProblem !== undefined;

  const click = async () => {
    if (!explains) await session.toggle(kind);
    if (session.media.get()[kind].problem) onProblem?.();
  };

  const label = on ? look.on : look.off;
  return (
    <button
      type="button"
      className={`round-button tip ${on ? '' : 'off'}`}
      aria-label={explains ? look.problem : label}
      data-testid={`toggle-${kind}`}
      data-on={on}
      onClick={click}
    >
      <Icon aria-hidden="true" />
      {problem && <TriangleAlert className="round-button-mark" aria-hidden="true" />}
    </button>
  );
}
