import { type Participant, type ParticipantId, producerIdOf } from '../client';

/** What a tile shows: somebody, or a screen that they share. */
export interface StageItem {
  /** The id that its producer has, if there is one. */
  key: string;
  participantId: ParticipantId;
  source: 'camera' | 'screen';
}

/** `auto`: a shared screen large, else everybody alike. */
export type StageLayout = 'auto' | 'grid' | 'speaker';

/** Where one's own picture is. */
export type SelfView = 'tile' | 'corner' | 'hidden';

export interface StageWishes {
  layout: StageLayout;
  selfView: SelfView;
  /** The key of what is to be large, whoever speaks. */
  pinned: string | undefined;
}

export interface StageFacts {
  participants: readonly Participant[];
  selfId: ParticipantId;
  /** The keys of the shared screens, the newest last. */
  screens: readonly string[];
  /** Who spoke last. */
  speakerId: ParticipantId | undefined;
}

export interface StageItems {
  /** What is large; nothing where all are alike. */
  main: StageItem | undefined;
  /** The rest, in the order in which it is shown. */
  others: readonly StageItem[];
  /** One's own picture, over the others. */
  corner: StageItem | undefined;
}

/** What is on the stage, and what of it is large. */
export function chooseItems(
  { participants, selfId, screens, speakerId }: StageFacts,
  { layout, selfView, pinned }: StageWishes,
): StageItems {
  const people = participants.map(({ id }) => itemOf(id, 'camera'));
  const shared = screens.flatMap((key) => {
    const owner = participants.find(({ id }) => producerIdOf(id, 'screen') === key);
    return owner ? [itemOf(owner.id, 'screen')] : [];
  });
  const self = people.find(({ participantId }) => participantId === selfId);
  const others = people.filter((item) => item !== self);
  // Whoever is alone looks at themselves.
  const apart = self && selfView !== 'tile' && people.length + shared.length > 1 && self.key !== pinned;
  const all = [...shared, ...(apart ? others : people)];
  const main = all.find(({ key }) => key === pinned) ?? byLayout();
  const large = all.length > 1 || main?.source === 'screen' ? main : undefined;
  const beside = all.filter((item) => item !== large);
  const corner = apart && selfView === 'corner' ? self : undefined;
  // Where there is a strip of others, one's own picture would lie over it.
  return large && corner && beside.length > 0
    ? { main: large, others: [...beside, corner], corner: undefined }
    : { main: large, others: beside, corner };

  function byLayout(): StageItem | undefined {
    if (layout === 'grid') return undefined;
    // One's own screen is in front of one already.
    const screen = shared.findLast(({ participantId }) => participantId !== selfId);
    if (screen || layout === 'auto') return screen;
    return others.find(({ participantId }) => participantId === speakerId) ?? others[0];
  }
}

/** The one thing to look at where there is little room: the newest screen, else who spoke last. */
export function chooseOne(facts: StageFacts): StageItems {
  const { main, others } = chooseItems(facts, { layout: 'speaker', selfView: 'hidden', pinned: undefined });
  const { corner } = chooseItems(facts, { layout: 'grid', selfView: 'corner', pinned: undefined });
  return { main: undefined, others: [main ?? others].flat().slice(0, 1), corner };
}

function itemOf(participantId: ParticipantId, source: StageItem['source']): StageItem {
  return { key: producerIdOf(participantId, source), participantId, source };
}
