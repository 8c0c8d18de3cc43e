import { MicOff, Signal } from 'lucide-react';
import { memo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Avatar } from './avatar';
import { VideoView } from './video-view';

interface TileProps {
  id: string;
  name: string;
  isSelf: boolean;
  track: MediaStreamTrack | undefined;
  /** The camera is on, and this browser cannot show it. */
  unsupported: boolean;
  muted: boolean;
  speaking: boolean;
  /** How well their media arrives; `stalled`: the picture stands still. */
  network: 'good' | 'weak' | 'stalled';
}

/** One person. */
export const Tile = memo(function Tile({ id, name, isSelf, track, unsupported, muted, speaking, network }: TileProps) {
  const { t } = useTranslation();
  const shownName = isSelf ? t('meeting.nameOfSelf', { name }) : name;
  const states = [
    ...(muted ? [t('meeting.muted')] : []),
    ...(speaking ? [t('meeting.speaking')] : []),
    ...(network === 'good' ? [] : [t(`meeting.network.${network}`)]),
  ];
  // A track is there before its first picture, which comes from the network.
  const [pictured, setPictured] = useState<MediaStreamTrack>();
  // Until then the last picture of the track before stays, as long as that did not end.
  const before = pictured !== track && pictured?.readyState === 'live' ? pictured : undefined;
  const tracks = track ? [...(before ? [before] : []), track] : [];
  return (
    <article
      className={`tile ${speaking ? 'speaking' : ''}`}
      aria-label={states.reduce((tile, state) => t('meeting.tileState', { tile, state }), shownName)}
      data-testid="tile"
      data-participant-id={id}
      data-name={name}
      data-speaking={speaking}
      data-muted={muted}
      data-network={network}
      data-self={isSelf}
    >
      {!tracks.some((shown) => shown === pictured) && <Avatar name={name} />}
      {tracks.map((shown) => (
        <VideoView key={shown.id} track={shown} mirrored={isSelf} onPicture={setPictured} />
      ))}
      {unsupported && (
        <p className="tile-problem" data-testid="tile-problem">
          {t('meeting.unsupported', { name })}
        </p>
      )}
      <div className="tile-label" aria-hidden="true">
        {muted && <MicOff />}
        <bdi>{shownName}</bdi>
        {network !== 'good' && (
          <span className="tile-network">
            <Signal />
            <span>{t(`meeting.network.${network}`)}</span>
          </span>
        )}
      </div>
    </article>
  );
});
