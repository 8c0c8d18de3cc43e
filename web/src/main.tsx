import '@fontsource-variable/inter/wght.css';
import './ui/styles/base.css';
import './ui/styles/controls.css';
import { createRoot } from 'react-dom/client';
import { App } from './state/app';
import { startLanguage } from './ui/language';
import { Root } from './ui/root';

const root = document.getElementById('root');
const app = new App();
void startLanguage(app.preferences).then(() => {
  if (root) createRoot(root).render(<Root app={app} />);
});
