import { CircleAlert } from 'lucide-react';
import { browserFamily } from '../../state/browser';
import type { Problem } from '../../state/local-media';
import type { RoomSession } from '../../state/room-session';
import { texts } from '../texts';
import { useStore } from '../use-store';

interface DeviceProblemsProps {
  session: RoomSession;
  /** Whether to add that one can join all the same. */
  joining?: boolean;
}

/** Why camera and microphone give nothing, and what to do: one hint, however much is wrong. */
export function DeviceProblems({ session, joining = false }: DeviceProblemsProps) {
  const { camera, mic } = useStore(session.media);
  const sentences = describe(camera.problem, mic.problem, joining);
  if (sentences.length === 0) return null;
  return (
    <div className="problem-box" role="alert" data-testid="device-problems">
      <CircleAlert aria-hidden="true" />
      <p>{sentences.join(' ')}</p>
      <button type="button" className="button small" onClick={() => session.retryDevices()}>
        {texts.devices.tryAgain}
      </button>
    </div>
  );
}

function describe(camera: Problem | undefined, mic: Problem | undefined, joining: boolean): string[] {
  const { problems } = texts;
  const browser = browserFamily();
  const anyway = ({ joinAnyway }: { joinAnyway: string }) => (joining ? [joinAnyway] : []);
  if (camera && camera === mic) return [problems.both.of(camera, browser), ...anyway(problems.both)];
  if (camera && mic) {
    return [problems.camera.of(camera, browser), problems.mic.of(mic, browser), ...anyway(problems.both)];
  }
  if (camera) return [problems.camera.of(camera, browser), ...anyway(problems.camera)];
  return mic ? [problems.mic.of(mic, browser), ...anyway(problems.mic)] : [];
}
