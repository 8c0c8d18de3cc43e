import { describe, expect, it } from 'vitest';
import { may, mayModerate } from './permissions';
import type { Role } from './protocol';
import type { Participant } from './roster';

const OPEN = { locked: false, mic: true, camera: true, screen: true, chat: true };
const SHUT = { locked: true, mic: false, camera: false, screen: false, chat: false };
const who = (role: Role, id: string = role): Participant => ({ id, name: id, role, hand: undefined, media: {} });

describe('What somebody may do', () => {
  it('is everything for hosts, what the settings say for participants, and to write for viewers', () => {
    for (const what of ['mic', 'camera', 'screen', 'screenAudio'] as const) {
      expect(may(who('coHost'), what, SHUT)).toBe(true);
      expect([may(who('participant'), what, OPEN), may(who('participant'), what, SHUT)]).toEqual([true, false]);
      expect(may(who('viewer'), what, OPEN)).toBe(false);
    }
    expect([may(who('viewer'), 'chat', OPEN), may(who('viewer'), 'chat', SHUT)]).toEqual([true, false]);
    expect(may(undefined, 'chat', OPEN)).toBe(false);
  });

  it('is to others only for hosts, and for co-hosts to those who are none', () => {
    expect(mayModerate(who('host'), who('coHost'))).toBe(true);
    expect(mayModerate(who('coHost'), who('participant'))).toBe(true);
    expect(mayModerate(who('coHost'), who('host'))).toBe(false);
    expect(mayModerate(who('coHost'), who('coHost', 'other'))).toBe(false);
    expect(mayModerate(who('participant'), who('viewer'))).toBe(false);
    expect(mayModerate(who('host'), who('host'))).toBe(false);
  });
});
