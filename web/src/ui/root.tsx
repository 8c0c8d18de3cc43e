import type { App } from '../state/app';
import { RoomPage } from './room-page';
import { StartPage } from './start-page';
import { useStore } from './use-store';

export function Root({ app }: { app: App }) {
  const page = useStore(app);
  const go = (path: string) => app.go(path);
  if (page.name === 'start')
    return <StartPage key={page.badLink} badLink={page.badLink} preferences={app.preferences} go={go} />;
  return <RoomPage key={page.session.room} session={page.session} go={go} />;
}
