import { MonitorUp } from 'lucide-react';
import { memo } from 'react';
import { useTranslation } from 'react-i18next';
import { usePictures } from '../use-pictures';
import { TileFrame, type TilePlace } from './tile-frame';
import { VideoView } from './video-view';

interface ScreenTileProps extends TilePlace {
  /** Whose screen it is. */
  id: string;
  name: string;
  isSelf: boolean;
  track: MediaStreamTrack | undefined;
  /** It may show this page, and in that the same again, without end. */
  showsItself: boolean;
}

/** A screen that somebody shares, whole: its edges are what is read. */
export const ScreenTile = memo(function ScreenTile(props: ScreenTileProps) {
  const { t } = useTranslation();
  const { id, name, isSelf, track, showsItself, ...place } = props;
  const label = isSelf ? t('screen.own') : t('screen.of', { name });
  const { tracks, isPictured, onPicture } = usePictures(showsItself ? undefined : track);
  return (
    <TileFrame
      {...place}
      name={label}
      className={`screen ${isSelf ? 'own' : ''}`}
      label={label}
      data={{ 'data-testid': 'screen-tile', 'data-owner-id': id, 'data-name': name, 'data-self': isSelf }}
    >
      {!isPictured && (
        <div className="screen-waiting">
          <MonitorUp aria-hidden="true" />
          <p>{t(isSelf ? 'screen.sharing' : 'screen.coming')}</p>
        </div>
      )}
      {tracks.map((shown) => (
        <VideoView key={shown.id} track={shown} onPicture={onPicture} />
      ))}
      <div className="tile-label" aria-hidden="true">
        <MonitorUp />
        <bdi>{label}</bdi>
      </div>
    </TileFrame>
  );
});
