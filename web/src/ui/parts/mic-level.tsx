import { useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { meter } from '../../state/audio-tools';

/** Falls slower than it rises, as needles do. */
const FALL = 0.88;

/** A bar that moves with one's own voice. */
export function MicLevel({ track }: { track: MediaStreamTrack | undefined }) {
  const { t } = useTranslation();
  const bar = useRef<HTMLDivElement>(null);
  const fill = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!track) return;
    const levels = meter(track);
    let shown = 0;
    let frame = 0;
    const draw = () => {
      shown = Math.max(levels.read(), shown * FALL);
      const percent = Math.round(shown * 100);
      bar.current?.setAttribute('aria-valuenow', String(percent));
      if (fill.current) fill.current.style.transform = `scaleX(${percent / 100})`;
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => {
      cancelAnimationFrame(frame);
      levels.close();
      bar.current?.setAttribute('aria-valuenow', '0');
      if (fill.current) fill.current.style.transform = 'scaleX(0)';
    };
  }, [track]);

  return (
    // biome-ignore lint/a11y/useSemanticElements: a native meter cannot be drawn alike in all browsers.
    <div
      ref={bar}
      className="mic-level"
      role="meter"
      aria-label={t('greenRoom.microphoneLevel')}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={0}
      data-testid="mic-level"
    >
      <div ref={fill} className="mic-level-fill" />
    </div>
  );
}
