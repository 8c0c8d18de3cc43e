import { CircleAlert, ShieldQuestionMark, X } from 'lucide-react';
import { browserFamily } from '../../state/browser';
import type { LocalMediaState, Problem } from '../../state/local-media';
import type { RoomSession } from '../../state/room-session';
import { texts } from '../texts';
import { useStore } from '../use-store';
import { Banner } from './banner';

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

/** That a device stopped in the middle of a meeting, and what to do. */
export function LostDevices({ session }: { session: RoomSession }) {
  const { camera, mic } = useStore(session.media);
  const lost = { camera: camera.lost, mic: mic.lost };
  const words = wordsFor(lost);
  if (!words) return null;
  const why = describe(lost.camera ? camera.problem : undefined, lost.mic ? mic.problem : undefined, false);
  return (
    <Banner role="alert" testId="lost-devices">
      <CircleAlert aria-hidden="true" />
      <p>{[words.lost, ...why].join(' ')}</p>
      <button type="button" className="button small" onClick={() => session.retryDevices()}>
        {texts.devices.tryAgain}
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label={texts.meeting.dismiss}
        onClick={() => session.media.dismissLoss()}
      >
        <X aria-hidden="true" />
      </button>
    </Banner>
  );
}

/** That the browser's own question waits for an answer. */
export function AskingForDevices({ session }: { session: RoomSession }) {
  const asking = askingFor(useStore(session.media));
  return (
    <div role="status">
      {asking && (
        <Banner testId="asking">
          <ShieldQuestionMark aria-hidden="true" />
          <p>{asking}</p>
        </Banner>
      )}
    </div>
  );
}

/** What to allow in the browser's question; nothing where none waits. */
export function askingFor({ camera, mic }: LocalMediaState): string | undefined {
  return wordsFor({ camera: camera.asking, mic: mic.asking })?.allow;
}

function wordsFor({ camera, mic }: { camera: boolean; mic: boolean }) {
  if (camera && mic) return texts.problems.both;
  if (camera) return texts.problems.camera;
  return mic ? texts.problems.mic : undefined;
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
