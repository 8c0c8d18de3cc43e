import { Hand, MicOff, Signal } from 'lucide-react';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Reaction } from '../../state/signals';
import { usePictures } from '../use-pictures';
import { Avatar } from './avatar';
import { TileFrame, type TilePlace } from './tile-frame';
import { VideoView } from './video-view';

interface TileProps extends TilePlace {
  id: string;
  name: string;
  isSelf: boolean;
  track: MediaStreamTrack | undefined;
  /** The camera is on, and this browser cannot show it. */
  unsupported: boolean;
  muted: boolean;
  /** What they show of this moment. */
  reaction: Reaction | undefined;
  /** Their place among the raised hands, from 1. */
  hand: number | undefined;
  speaking: boolean;
  /** How well their media arrives; `stalled`: the picture stands still. */
  network: 'good' | 'weak' | 'stalled';
}

/** One person. */
export const Tile = memo(function Tile(props: TileProps) {
  const { t } = useTranslation();
  const { id, name, isSelf, track, unsupported, muted, reaction, hand, speaking, network, ...place } = props;
  const shownName = isSelf ? t('meeting.nameOfSelf', { name }) : name;
  const states = [
    ...(muted ? [t('meeting.muted')] : []),
    ...(hand === undefined ? [] : [t('people.handIsUp')]),
    ...(speaking ? [t('meeting.speaking')] : []),
    ...(network === 'good' ? [] : [t(`meeting.network.${network}`)]),
  ];
  const { tracks, isPictured, onPicture } = usePictures(track);
  return (
    <TileFrame
      {...place}
      name={shownName}
      className={speaking ? 'speaking' : ''}
      label={states.reduce((tile, state) => t('meeting.tileState', { tile, state }), shownName)}
      data={{
        'data-testid': 'tile',
        'data-participant-id': id,
        'data-name': name,
        'data-speaking': speaking,
        'data-muted': muted,
        'data-network': network,
        'data-hand': hand !== undefined,
        'data-self': isSelf,
      }}
    >
      {!isPictured && <Avatar name={name} />}
      {tracks.map((shown) => (
        <VideoView key={shown.id} track={shown} mirrored={isSelf} onPicture={onPicture} />
      ))}
      {unsupported && (
        <p className="tile-problem" data-testid="tile-problem">
          {t('meeting.unsupported', { name })}
        </p>
      )}
      {reaction && (
        <span key={reaction.id} className="tile-reaction" aria-hidden="true" data-testid="tile-reaction">
          {reaction.emoji}
        </span>
      )}
      <div className="tile-label" aria-hidden="true">
        {hand !== undefined && (
          <span className="tile-hand">
            <Hand />
            {hand}
          </span>
        )}
        {muted && <MicOff />}
        <bdi>{shownName}</bdi>
        {network !== 'good' && (
          <span className="tile-network">
            <Signal />
            <span>{t(`meeting.network.${network}`)}</span>
          </span>
        )}
      </div>
    </TileFrame>
  );
});
