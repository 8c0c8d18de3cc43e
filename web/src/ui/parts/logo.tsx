import { useTranslation } from 'react-i18next';

/** The name and its mark: a sun that comes up. */
export function Logo({ go }: { go?: (path: string) => void }) {
  const { t } = useTranslation();
  const mark = (
    <>
      <svg className="logo-mark" viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="9" className="logo-ground" />
        <path d="M7.5 20.5a8.5 8.5 0 0 1 17 0z" className="logo-sun" />
        <path d="M16 5v3.5M6.2 9.4l2.4 2.4M25.8 9.4l-2.4 2.4M6.5 24.5h19" className="logo-rays" />
      </svg>
      <span>{t('product')}</span>
    </>
  );
  if (!go) return <span className="logo">{mark}</span>;
  return (
    <a
      className="logo"
      href="/"
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey) return;
        event.preventDefault();
        go('/');
      }}
    >
      {mark}
    </a>
  );
}
