import { describe, expect, it } from 'vitest';
import { participantOf, Roster, sourceOf } from './roster';

const anna = '00000000000000aa';
const ben = '00000000000000bb';

function room(): Roster {
  const roster = new Roster();
  const producers = [{ id: `${anna}-mic`, kind: 'audio' as const, paused: false }];
  roster.reset({
    roomId: 'r',
    seq: 1,
    participants: [{ id: anna, name: 'Anna', role: 'host', hand: null, producers, dataProducers: [] }],
    videoCodecs: [],
    chat: [],
    settings: { locked: false, mic: true, camera: true, screen: true, chat: true },
  });
  return roster;
}

describe('Roster', () => {
  it('takes ids of producers apart', () => {
    expect(participantOf(`${anna}-screenAudio`)).toBe(anna);
    expect(sourceOf(`${anna}-screenAudio`)).toBe('screenAudio');
  });

  it('follows joins, media and leaves', () => {
    const roster = room();
    roster.apply('participantJoined', {
      seq: 2,
      participant: { id: ben, name: 'Ben', role: 'participant', hand: null, producers: [], dataProducers: [] },
    });
    const producer = { id: `${ben}-camera`, kind: 'video' as const, paused: false };
    roster.apply('producerAdded', { seq: 3, participantId: ben, producer });
    roster.apply('producerPaused', { seq: 4, producerId: `${ben}-camera` });
    expect(roster.participants.map(({ name }) => name)).toEqual(['Anna', 'Ben']);
    expect(roster.get(ben)?.media.camera?.paused).toBe(true);
    roster.apply('producerResumed', { seq: 5, producerId: `${ben}-camera` });
    expect(roster.get(ben)?.media.camera?.paused).toBe(false);
    roster.apply('producerClosed', { seq: 6, producerId: `${ben}-camera` });
    expect(roster.get(ben)?.media).toEqual({});
    roster.apply('participantLeft', { seq: 7, participantId: anna });
    expect(roster.participants.map(({ name }) => name)).toEqual(['Ben']);
  });

  it('makes new objects for what changed and keeps the others', () => {
    const roster = room();
    const before = roster.participants;
    roster.apply('participantJoined', {
      seq: 2,
      participant: { id: ben, name: 'Ben', role: 'participant', hand: null, producers: [], dataProducers: [] },
    });
    expect(roster.participants).not.toBe(before);
    expect(roster.participants[0]).toBe(before[0]);
  });

  it('keeps tracks over a new snapshot', () => {
    const roster = room();
    const track = {} as MediaStreamTrack;
    roster.setTrack(`${anna}-mic`, track);
    const producers = [{ id: `${anna}-mic`, kind: 'audio' as const, paused: true }];
    roster.reset({
      roomId: 'r',
      seq: 9,
      participants: [{ id: anna, name: 'Anna', role: 'host', hand: null, producers, dataProducers: [] }],
      videoCodecs: [],
      chat: [],
      settings: { locked: false, mic: true, camera: true, screen: true, chat: true },
    });
    expect(roster.get(anna)?.media.mic).toEqual({ producerId: `${anna}-mic`, paused: true, track, unsupported: false });
    roster.setTrack(`${anna}-mic`, undefined);
    expect(roster.get(anna)?.media.mic?.track).toBeUndefined();
  });

  it('ignores news about people it does not know', () => {
    const roster = room();
    roster.apply('producerPaused', { seq: 2, producerId: `${ben}-mic` });
    roster.apply('participantLeft', { seq: 3, participantId: ben });
    expect(roster.participants).toHaveLength(1);
  });
});
