import { Pin, PinOff } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { Place } from '../../state/stage-places';

export interface TilePlace {
  place: Place;
  /** Over the other tiles, in a corner. */
  corner: boolean;
  pinned: boolean;
  /** Makes it large, or one of many again; absent where it is alone. */
  onPin: (() => void) | undefined;
  /** Opens what is known of its connection. */
  quality: ReactNode;
}

interface TileFrameProps extends TilePlace {
  /** What it shows, for whoever does not see it. */
  label: string;
  /** Whose it is. */
  name: string;
  className: string;
  data: Record<`data-${string}`, string | boolean>;
  children: ReactNode;
}

/** A tile's place on the stage, and what can be done with it. */
export function TileFrame({
  place,
  corner,
  pinned,
  onPin,
  quality,
  label,
  name,
  className,
  data,
  children,
}: TileFrameProps) {
  const { t } = useTranslation();
  const { x, y, width, height } = place;
  return (
    <article
      className={`tile ${className} ${corner ? 'corner' : ''}`}
      style={{ transform: `translate(${x}px, ${y}px)`, width, height }}
      aria-label={label}
      data-pinned={pinned}
      {...data}
      onDoubleClick={onPin}
    >
      {children}
      {quality}
      {onPin && (
        <button
          type="button"
          className="tile-button tile-pin"
          aria-label={t(pinned ? 'stage.unpin' : 'stage.pin', { name })}
          aria-pressed={pinned}
          data-testid="pin"
          onClick={onPin}
          onDoubleClick={(event) => event.stopPropagation()}
        >
          {pinned ? <PinOff aria-hidden="true" /> : <Pin aria-hidden="true" />}
        </button>
      )}
    </article>
  );
}
