import { ChevronDown, Globe } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { PreferenceStore } from '../../state/preferences';
import { chooseLanguage, LANGUAGES } from '../language';

/** In which language the page is; each is listed by what it calls itself. */
export function LanguagePicker({ preferences }: { preferences: PreferenceStore }) {
  const { t, i18n } = useTranslation();
  return (
    <div className="select language-picker">
      <Globe aria-hidden="true" />
      <select
        aria-label={t('page.language')}
        value={i18n.language}
        data-testid="language"
        onChange={({ target }) => void chooseLanguage(target.value, preferences)}
      >
        {LANGUAGES.map(({ code, name }) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
      <ChevronDown className="select-chevron" aria-hidden="true" />
    </div>
  );
}
