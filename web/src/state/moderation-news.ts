import type { Moderated, ParticipantId, Role, Source } from '../client';

const ROLES = { host: 'Host', coHost: 'CoHost', participant: 'Participant', viewer: 'Viewer' } as const;
const STOPPED = { mic: 'muted', camera: 'stoppedCamera', screen: 'stoppedScreen', screenAudio: undefined } as const;
const STOPPED_YOURS = {
  mic: 'mutedYou',
  camera: 'stoppedYourCamera',
  screen: 'stoppedYourScreen',
  screenAudio: undefined,
} as const;
const STOPPED_SEVERAL = {
  muted: 'mutedSeveral',
  stoppedCamera: 'stoppedCameras',
  stoppedScreen: 'stoppedScreens',
} as const;

/** What happened, in a word for which each language has a sentence. */
export type ModerationCode =
  | 'handRaised'
  | 'handLowered'
  | 'removed'
  | `${'youAre' | 'is'}${(typeof ROLES)[Role]}`
  | NonNullable<(typeof STOPPED)[Source]>
  | NonNullable<(typeof STOPPED_YOURS)[Source]>
  | (typeof STOPPED_SEVERAL)[keyof typeof STOPPED_SEVERAL]
  | `${'locked' | 'mic' | 'camera' | 'screen' | 'chat'}${'On' | 'Off'}`;

export interface ModerationNews {
  kind: 'moderation';
  code: ModerationCode;
  /** The name of whom it was done to, and of who did it; empty where that does not matter or is not known. */
  who: string;
  by: string;
}

/** What to say of what somebody did; nothing of what one did oneself, and sees. */
export function moderationNews(
  moderated: Moderated,
  selfId: ParticipantId,
  names: ReadonlyMap<ParticipantId, string>,
): ModerationNews | undefined {
  if ('by' in moderated && moderated.by === selfId) return undefined;
  const by = ('by' in moderated && names.get(moderated.by ?? '')) || '';
  const who = 'who' in moderated ? (names.get(moderated.who) ?? '') : '';
  const isSelf = 'who' in moderated && moderated.who === selfId;
  const code = codeOf(moderated, isSelf);
  if (!code) return undefined;
  return { kind: 'moderation', code, who: moderated.kind === 'removed' ? moderated.name : who, by };
}

function codeOf(moderated: Moderated, isSelf: boolean): ModerationCode | undefined {
  switch (moderated.kind) {
    case 'handRaised':
      return isSelf ? undefined : 'handRaised';
    case 'handLowered':
      return isSelf ? 'handLowered' : undefined;
    case 'roleChanged':
      return `${isSelf ? 'youAre' : 'is'}${ROLES[moderated.role]}`;
    case 'muted':
      return isSelf ? STOPPED_YOURS[moderated.source] : STOPPED[moderated.source];
    case 'removed':
      return 'removed';
    case 'setting':
      return `${moderated.setting}${moderated.on ? 'On' : 'Off'}`;
  }
}

/** One word for what was done to several at once; nothing where the two are not the same. */
export function together(before: ModerationNews, news: ModerationNews): ModerationNews | undefined {
  const several = STOPPED_SEVERAL[news.code as keyof typeof STOPPED_SEVERAL];
  const isSame = before.by === news.by && (before.code === news.code || before.code === several);
  return several && isSame ? { ...news, code: several, who: '' } : undefined;
}
