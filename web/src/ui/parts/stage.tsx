import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import type { Participant } from '../../client';
import { layOutGrid } from '../../state/grid';
import { isLive } from '../../state/local-media';
import type { MeetingState } from '../../state/meeting-view';
import type { RoomSession } from '../../state/room-session';
import { viewLayer } from '../../state/view-layer';
import { useStore } from '../use-store';
import { Tile } from './tile';

const TILES_MAX = 49;
const GAP = 10;
/** A little is cut off at the sides before two people are stacked in a wide window. */
const LANDSCAPE = { gap: GAP, aspectMin: 3 / 2, aspectMax: 16 / 9 };
/** A phone held upright has little width to give: its tiles may be upright too. */
const PORTRAIT = { gap: GAP, aspectMin: 0.7, aspectMax: 1.6 };

/** Everybody, each as large as the window allows. */
export function Stage({ state, session }: { state: MeetingState; session: RoomSession }) {
  const { t } = useTranslation();
  const { ref, width, height } = useSize();
  const local = useStore(session.media);
  const { participants, selfId, names, speaking, weak, stalled, notSent } = state;
  const heard = isLive(local.mic) && notSent.mic === undefined;

  const shown = participants.length > TILES_MAX ? TILES_MAX - 1 : participants.length;
  const hidden = participants.length - shown;
  const count = shown + (hidden > 0 ? 1 : 0);
  const grid = layOutGrid(count, width, height, width < height ? PORTRAIT : LANDSCAPE);

  const tabShown = useTabShown();
  const layer = viewLayer(grid.width, grid.height, devicePixelRatio);
  useEffect(() => {
    participants.forEach(({ media }, place) => {
      const seen = tabShown && width > 0 && place < shown;
      if (media.camera) session.view(media.camera.producerId, seen ? layer : 'hidden');
    });
  }, [session, participants, shown, layer, tabShown, width]);

  const tile = (participant: Participant) => {
    const { id, media } = participant;
    const isSelf = id === selfId;
    const camera = media.camera && !media.camera.paused ? media.camera.track : undefined;
    return (
      <Tile
        key={id}
        id={id}
        name={names.get(id) ?? participant.name}
        isSelf={isSelf}
        track={isSelf ? local.camera.track : camera}
        unsupported={!isSelf && media.camera?.paused === false && media.camera.unsupported}
        muted={isSelf ? !heard : (media.mic?.paused ?? true)}
        speaking={speaking.has(id) && (!isSelf || heard)}
        network={stalled.has(id) ? 'stalled' : weak.has(id) ? 'weak' : 'good'}
      />
    );
  };

  return (
    <section ref={ref} className="stage" aria-label={t('meeting.stage')}>
      <div
        className="grid"
        style={{
          width: `${grid.columns * (grid.width + GAP) - GAP}px`,
          gap: `${GAP}px`,
          ['--tile-width' as string]: `${grid.width}px`,
          ['--tile-height' as string]: `${grid.height}px`,
        }}
      >
        {width > 0 && participants.slice(0, shown).map(tile)}
        {hidden > 0 && (
          <div className="tile more">
            <span aria-hidden="true">{t('meeting.more', { number: hidden })}</span>
            <span className="visually-hidden">{t('meeting.moreLabel', { count: hidden })}</span>
          </div>
        )}
      </div>
    </section>
  );
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
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: entry.contentRect.width, height: entry.contentRect.height });
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return { ref, ...size };
}
