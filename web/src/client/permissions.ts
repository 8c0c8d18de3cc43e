import type { RoomSettings, Source } from './protocol';
import type { Participant } from './roster';

/** What somebody may do, as the room will judge it. */
export function may(
  who: Pick<Participant, 'role'> | undefined,
  what: Source | 'chat',
  settings: RoomSettings,
): boolean {
  if (!who) return false;
  if (isModerator(who)) return true;
  if (what === 'chat') return settings.chat;
  return who.role === 'participant' && settings[what === 'screenAudio' ? 'screen' : what];
}

/** Whether somebody may do something to others. */
export function isModerator({ role }: Pick<Participant, 'role'>): boolean {
  return role === 'host' || role === 'coHost';
}

/** Whether `who` may do something to `other`: a co-host to neither the host nor other co-hosts. */
export function mayModerate(who: Participant, other: Participant): boolean {
  if (who.id === other.id) return false;
  return who.role === 'host' || (who.role === 'coHost' && !isModerator(other));
}
