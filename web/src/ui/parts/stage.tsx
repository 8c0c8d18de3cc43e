import { useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import type { Participant } from '../../client';
import { isLive } from '../../state/local-media';
import type { MeetingView } from '../../state/meeting-view';
import type { RoomSession } from '../../state/room-session';
import type { Signals } from '../../state/signals';
import { chooseItems, chooseOne, type StageItem } from '../../state/stage-items';
import { placeItems } from '../../state/stage-places';
import { screenLayer, viewLayer } from '../../state/view-layer';
import { useStore } from '../use-store';
import { Pager } from './pager';
import { ScreenTile } from './screen-tile';
import { Tile } from './tile';

interface StageProps {
  view: MeetingView;
  session: RoomSession;
  signals: Signals;
  /** In a window in front of all others: only what is looked at most. */
  small?: boolean;
}

/** Everybody and what they share, each as large as the window and the chosen layout allow. */
export function Stage({ view, session, signals, small = false }: StageProps) {
  const { t } = useTranslation();
  const { ref, width, height } = useSize();
  const state = useStore(view);
  const { reactions } = useStore(signals);
  const local = useStore(session.media);
  const ownScreen = useStore(session.screen);
  const { layout, selfView } = useStore(session.preferences);
  const [wantedPage, setPage] = useState(0);
  const { participants, selfId, screens, speakerId, names, speaking, weak, stalled, notSent, pinned } = state;
  const heard = isLive(local.mic) && notSent.mic === undefined;
  const shown = useTabShown() || small;
  const items = useMemo(() => {
    const facts = { participants, selfId, screens, speakerId };
    return small ? chooseOne(facts) : chooseItems(facts, { layout, selfView, pinned });
  }, [participants, selfId, screens, speakerId, layout, selfView, pinned, small]);
  const { places, pages, page, turned } = useMemo(
    () => placeItems(items, width, height, wantedPage),
    [items, width, height, wantedPage],
  );

  useEffect(() => {
    for (const { media } of participants) {
      for (const [source, layerOf] of [
        ['camera', viewLayer],
        ['screen', screenLayer],
      ] as const) {
        const producerId = media[source]?.producerId;
        if (producerId === undefined) continue;
        const place = places.get(producerId);
        const seen = shown && place !== undefined && place.width > 0;
        session.view(producerId, seen ? layerOf(place.width, place.height, devicePixelRatio) : 'hidden');
      }
    }
  }, [session, participants, places, shown]);

  const { main, others, corner } = items;
  // In an order that no change of what is large changes: a tile that moves keeps its picture.
  const all = [...others, ...(main ? [main] : []), ...(corner ? [corner] : [])].sort((one, other) =>
    one.key < other.key ? -1 : 1,
  );
  const tile = (item: StageItem) => {
    const { key, participantId: id, source } = item;
    const place = places.get(key);
    const participant = participants.find((one) => one.id === id);
    if (!place || !participant) return null;
    const isSelf = id === selfId;
    const name = names.get(id) ?? participant.name;
    const frame = {
      place,
      corner: corner?.key === key,
      pinned: pinned === key,
      view,
      item,
      canPin: all.length > 1 && !small,
      small,
    };
    const { screen, camera, mic } = participant.media;
    return source === 'screen' ? (
      <ScreenTile
        key={key}
        id={id}
        name={name}
        isSelf={isSelf}
        track={isSelf ? ownScreen.track : screen?.track}
        showsItself={isSelf && ownScreen.isMonitor}
        {...frame}
      />
    ) : (
      <Tile
        key={key}
        id={id}
        name={name}
        isSelf={isSelf}
        track={isSelf ? local.camera.track : camera?.paused === false ? camera.track : undefined}
        unsupported={!isSelf && camera?.paused === false && camera.unsupported}
        muted={isSelf ? !heard : (mic?.paused ?? true)}
        reaction={reactions.get(id)}
        hand={placeInQueue(participants, participant)}
        speaking={speaking.has(id) && (!isSelf || heard)}
        network={stalled.has(id) ? 'stalled' : weak.has(id) ? 'weak' : 'good'}
        {...frame}
      />
    );
  };

  return (
    <section
      ref={ref}
      className="stage"
      aria-label={t('meeting.stage')}
      data-testid="stage"
      data-main={main?.key ?? ''}
    >
      {width > 0 && all.map(tile)}
      {pages > 1 && <Pager pages={pages} page={page} area={turned} onTurn={setPage} />}
    </section>
  );
}

/** From 1: who raised their hand first. */
function placeInQueue(participants: readonly Participant[], { hand }: Participant): number | undefined {
  if (hand === undefined) return undefined;
  return 1 + participants.filter((other) => other.hand !== undefined && other.hand < hand).length;
}

/** False while another tab is in front, or the window is minimised. */
function useTabShown(): boolean {
  return useSyncExternalStore(
    (changed) => {
      document.addEventListener('visibilitychange', changed);
      return () => document.removeEventListener('visibilitychange', changed);
    },
    () => document.visibilityState !== 'hidden',
  );
}

function useSize() {
  const ref = useRef<HTMLElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useEffect(() => {
    if (!ref.current) return;
    // That of the window that it is in: the page's own stands still behind another tab.
    const { ResizeObserver } = (ref.current.ownerDocument.defaultView ?? window) as Window & typeof globalThis;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return { ref, ...size };
}
