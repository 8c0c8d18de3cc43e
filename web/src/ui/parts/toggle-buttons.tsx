import { Mic, MicOff, TriangleAlert, Video, VideoOff } from 'lucide-react';
import { isApple } from '../../state/browser';
import type { LocalKind } from '../../state/local-media';
import type { RoomSession } from '../../state/room-session';
import { texts } from '../texts';
import { useStore } from '../use-store';

const key = isApple() ? texts.controls.commandKey : texts.controls.controlKey;

const looks = {
  mic: { On: Mic, Off: MicOff, on: texts.controls.micOn(`${key}D`), off: texts.controls.micOff(`${key}D`) },
  camera: {
    On: Video,
    Off: VideoOff,
    on: texts.controls.cameraOn(`${key}E`),
    off: texts.controls.cameraOff(`${key}E`),
  },
};

/** Microphone and camera on and off. */
export function ToggleButtons({ session }: { session: RoomSession }) {
  return (
    <>
      <ToggleButton session={session} kind="mic" />
      <ToggleButton session={session} kind="camera" />
    </>
  );
}

function ToggleButton({ session, kind }: { session: RoomSession; kind: LocalKind }) {
  const { on, problem } = useStore(session.media)[kind];
  const look = looks[kind];
  const Icon = on ? look.On : look.Off;
  return (
    <button
      type="button"
      className={`round-button tip ${on ? '' : 'off'}`}
      aria-label={on ? look.on : look.off}
      data-testid={`toggle-${kind}`}
      data-on={on}
      onClick={() => session.toggle(kind)}
    >
      <Icon aria-hidden="true" />
      {problem && <TriangleAlert className="round-button-mark" aria-hidden="true" />}
    </button>
  );
}
