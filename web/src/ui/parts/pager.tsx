import { ChevronLeft, ChevronRight } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { Place } from '../../state/stage-places';

interface PagerProps {
  pages: number;
  page: number;
  /** What it turns, on the stage. */
  area: Place;
  onTurn: (page: number) => void;
}

/** Turns the pages of those who do not fit onto one. */
export function Pager({ pages, page, area, onTurn }: PagerProps) {
  const { t } = useTranslation();
  return (
    // biome-ignore lint/a11y/useSemanticElements: these are buttons, not the fields of a form.
    <div
      className="pager"
      role="group"
      aria-label={t('stage.pages')}
      style={{ transform: `translate(${area.x + area.width / 2}px, ${area.y + area.height}px)` }}
    >
      <button
        type="button"
        className="icon-button"
        aria-label={t('stage.pageBefore')}
        aria-disabled={page === 0}
        data-testid="page-before"
        onClick={() => onTurn(Math.max(page - 1, 0))}
      >
        <ChevronLeft aria-hidden="true" />
      </button>
      <span aria-live="polite">
        <span className="visually-hidden">{t('stage.page', { page: page + 1, pages })}</span>
        <span aria-hidden="true">
          {page + 1}/{pages}
        </span>
      </span>
      <button
        type="button"
        className="icon-button"
        aria-label={t('stage.pageNext')}
        aria-disabled={page === pages - 1}
        data-testid="page-next"
        onClick={() => onTurn(Math.min(page + 1, pages - 1))}
      >
        <ChevronRight aria-hidden="true" />
      </button>
    </div>
  );
}
