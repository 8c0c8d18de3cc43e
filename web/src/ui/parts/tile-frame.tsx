import { Pin, PinOff } from 'lucide-react';
import type { ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import type { MeetingView } from '../../state/meeting-view';
import type { StageItem } from '../../state/stage-items';
import type { Place } from '../../state/stage-places';
import { QualityPopover } from './quality-popover';

export interface TilePlace {
  place: Place;
  /** Over the other tiles, in a corner. */
  corner: boolean;
  pinned: boolean;
  view: MeetingView;
  item: StageItem;
  /** Not where it is alone. */
  canPin: boolean;
  /** In a small window there is room for nothing but the picture. */
  small: boolean;
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
export function TileFrame(props: TileFrameProps) {
  const { place, corner, pinned, view, item, canPin, small, label, name, className, data, children } = props;
  const { t } = useTranslation();
  const { x, y, width, height } = place;
  return (
    <article
      className={`tile ${className} ${corner ? 'corner' : ''}`}
      style={{ transform: `translate(${x}px, ${y}px)`, width, height }}
      aria-label={label}
      data-pinned={pinned}
      {...data}
      onDoubleClick={({ target, currentTarget }) => {
        // Not in what opens from it, which is elsewhere in the document, nor on its buttons.
        const isPicture = target instanceof Element && currentTarget.contains(target) && !target.closest('button');
        if (canPin && isPicture) view.pin(item.key);
      }}
    >
      {children}
      {!small && <QualityPopover view={view} item={item} name={name} />}
      {canPin && (
        <button
          type="button"
          className="tile-button tile-pin"
          aria-label={t(pinned ? 'stage.unpin' : 'stage.pin', { name })}
          aria-pressed={pinned}
          data-testid="pin"
          onClick={() => view.pin(item.key)}
        >
          {pinned ? <PinOff aria-hidden="true" /> : <Pin aria-hidden="true" />}
        </button>
      )}
    </article>
  );
}
