import type { TFunction } from 'i18next';
import { CircleAlert, ShieldQuestionMark, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { browserFamily } from '../../state/browser';
import type { LocalMediaState, Problem } from '../../state/local-media';
import type { RoomSession } from '../../state/room-session';
import { useStore } from '../use-store';
import { Banner } from './banner';

interface DeviceProblemsProps {
  session: RoomSession;
  /** Whether to add that one can join all the same. */
  joining?: boolean;
}

/** Why camera and microphone give nothing, and what to do: one hint, however much is wrong. */
export function DeviceProblems({ session, joining = false }: DeviceProblemsProps) {
  const { t } = useTranslation();
  const { camera, mic } = useStore(session.media);
  const sentences = describe(t, camera.problem, mic.problem, joining);
  if (sentences.length === 0) return null;
  return (
    <div className="problem-box" role="alert" data-testid="device-problems">
      <CircleAlert aria-hidden="true" />
      <p>{sentences.join(' ')}</p>
      <button type="button" className="button small" onClick={() => session.retryDevices()}>
        {t('devices.tryAgain')}
      </button>
    </div>
  );
}

/** That a device stopped in the middle of a meeting, and what to do. */
export function LostDevices({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const { camera, mic } = useStore(session.media);
  const lost = { camera: camera.lost, mic: mic.lost };
  const which = devicesOf(lost);
  if (!which) return null;
  const why = describe(t, lost.camera ? camera.problem : undefined, lost.mic ? mic.problem : undefined, false);
  return (
    <Banner role="alert" testId="lost-devices">
      <CircleAlert aria-hidden="true" />
      <p>{[t(`problems.${which}.lost`), ...why].join(' ')}</p>
      <button type="button" className="button small" onClick={() => session.retryDevices()}>
        {t('devices.tryAgain')}
      </button>
      <button
        type="button"
        className="icon-button"
        aria-label={t('meeting.dismiss')}
        onClick={() => session.media.dismissLoss()}
      >
        <X aria-hidden="true" />
      </button>
    </Banner>
  );
}

/** That the browser's own question waits for an answer. */
export function AskingForDevices({ session }: { session: RoomSession }) {
  const { t } = useTranslation();
  const asking = askingFor(t, useStore(session.media));
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
export function askingFor(t: TFunction, { camera, mic }: LocalMediaState): string | undefined {
  const which = devicesOf({ camera: camera.asking, mic: mic.asking });
  return which && t(`problems.${which}.allow`);
}

/** What a sentence is about. */
type Devices = 'mic' | 'camera' | 'both';

function devicesOf({ camera, mic }: { camera: boolean; mic: boolean }): Devices | undefined {
  if (camera && mic) return 'both';
  if (camera) return 'camera';
  return mic ? 'mic' : undefined;
}

function describe(t: TFunction, camera: Problem | undefined, mic: Problem | undefined, joining: boolean): string[] {
  const which = devicesOf({ camera: camera !== undefined, mic: mic !== undefined });
  if (!which) return [];
  const sentence = (devices: Devices, problem: Problem) =>
    problem === 'denied' ? t(`problems.${devices}.denied.${browserFamily()}`) : t(`problems.${devices}.${problem}`);
  const each = [...(camera ? [sentence('camera', camera)] : []), ...(mic ? [sentence('mic', mic)] : [])];
  const why = camera && camera === mic ? [sentence('both', camera)] : each;
  return joining ? [...why, t(`problems.${which}.joinAnyway`)] : why;
}
