import { Popover } from '@base-ui/react/popover';
import { Signal } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { producerIdOf, type StreamQuality } from '../../client';
import type { MeetingView } from '../../state/meeting-view';
import type { StageItem } from '../../state/stage-items';

const LOOK_MS = 1_000;

interface QualityPopoverProps {
  view: MeetingView;
  item: Pick<StageItem, 'participantId' | 'source'>;
  name: string;
}

/** How a tile's media arrives, in numbers, for who wants to know. */
export function QualityPopover({ view, item, name }: QualityPopoverProps) {
  const { t } = useTranslation();
  return (
    <Popover.Root>
      <Popover.Trigger
        className="tile-button tile-quality"
        aria-label={t('quality.open', { name })}
        data-testid="quality"
      >
        <Signal aria-hidden="true" />
      </Popover.Trigger>
      <Popover.Portal>
        <Popover.Positioner className="menu-positioner" sideOffset={6} collisionPadding={8}>
          <Popover.Popup className="menu quality">
            <Popover.Title className="menu-label">{t('quality.title')}</Popover.Title>
            <Numbers view={view} item={item} />
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Numbers({ view, item: { participantId, source } }: Omit<QualityPopoverProps, 'name'>) {
  const { t } = useTranslation();
  const [qualities, setQualities] = useState<(StreamQuality | undefined)[]>();

  useEffect(() => {
    const sources = source === 'screen' ? (['screen', 'screenAudio'] as const) : (['camera', 'mic'] as const);
    const readers = sources.map((one) => view.quality(producerIdOf(participantId, one)));
    let closed = false;
    const look = async () => {
      const read = await Promise.all(readers.map((reader) => reader.read()));
      if (!closed) setQualities(read);
    };
    void look();
    const timer = setInterval(look, LOOK_MS);
    return () => {
      closed = true;
      clearInterval(timer);
    };
  }, [view, participantId, source]);

  if (!qualities) return <p className="hint">{t('quality.reading')}</p>;
  const [picture, sound] = qualities;
  if (!picture && !sound) return <p className="hint">{t('quality.nothing')}</p>;
  const shown = source === 'screen' ? 'quality.screen' : 'quality.picture';
  const roundTripMs = (picture ?? sound)?.roundTripMs;
  return (
    <dl data-testid="quality-numbers">
      <Line name={t(shown)}>
        {picture?.width && picture.height
          ? t('quality.size', {
              width: `${picture.width}`,
              height: `${picture.height}`,
              frames: picture.framesPerSecond ?? 0,
            })
          : t('quality.off')}
      </Line>
      {picture && picture.layers > 1 && (
        <Line name={t('quality.sizes')}>{t('quality.layers', { count: picture.layers })}</Line>
      )}
      {(
        [
          [shown, picture],
          ['quality.sound', sound],
        ] as const
      ).flatMap(([kind, quality]) =>
        quality?.codec
          ? [
              <Line key={`${kind} rate`} name={`${t(kind)}: ${t('quality.rate')}`}>
                {quality.bitrate === undefined
                  ? '…'
                  : t('quality.kbps', { number: Math.round(quality.bitrate / 1_000) })}
              </Line>,
              <Line key={`${kind} loss`} name={`${t(kind)}: ${t('quality.loss')}`}>
                {quality.loss === undefined
                  ? '…'
                  : t('quality.percent', { number: Math.round(quality.loss * 1_000) / 10 })}
              </Line>,
              <Line key={`${kind} codec`} name={`${t(kind)}: ${t('quality.codec')}`}>
                {quality.codec}
              </Line>,
            ]
          : [],
      )}
      {roundTripMs !== undefined && (
        <Line name={t('quality.roundTrip')}>{t('quality.ms', { number: roundTripMs })}</Line>
      )}
    </dl>
  );
}

function Line({ name, children }: { name: string; children: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
