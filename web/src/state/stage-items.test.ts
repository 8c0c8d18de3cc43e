import { describe, expect, it } from 'vitest';
import type { Participant } from '../client';
import { chooseItems, chooseOne, type StageFacts, type StageItems, type StageWishes } from './stage-items';

const person = (id: string): Participant => ({ id, name: id, role: 'participant', hand: undefined, media: {} });

function stage(facts: Partial<StageFacts>, wishes: Partial<StageWishes> = {}) {
  const { main, others, corner } = chooseItems(
    { participants: ['me', 'anna', 'ben'].map(person), selfId: 'me', screens: [], speakerId: undefined, ...facts },
    { layout: 'auto', selfView: 'tile', pinned: undefined, ...wishes },
  );
  return { main: main?.key, others: others.map(({ key }) => key), corner: corner?.key };
}

const EVERYBODY = ['me-camera', 'anna-camera', 'ben-camera'];

describe('What is on the stage', () => {
  it('is everybody alike, oneself among them', () => {
    expect(stage({})).toEqual({ main: undefined, others: EVERYBODY, corner: undefined });
  });

  it('is the newest of the shared screens, large, with everybody beside it', () => {
    const { main, others } = stage({ screens: ['anna-screen', 'ben-screen'] });
    expect(main).toBe('ben-screen');
    expect(others).toEqual(['anna-screen', ...EVERYBODY]);
  });

  it('has one screen among the tiles where that is wanted, and one’s own anyway', () => {
    expect(stage({ screens: ['anna-screen'] }, { layout: 'grid' }).main).toBeUndefined();
    expect(stage({ screens: ['me-screen'] })).toMatchObject({ main: undefined, others: ['me-screen', ...EVERYBODY] });
  });

  it('shows who spoke last large, or who came first, never oneself', () => {
    expect(stage({ speakerId: 'ben' }, { layout: 'speaker' }).main).toBe('ben-camera');
    expect(stage({ speakerId: 'me' }, { layout: 'speaker' }).main).toBe('anna-camera');
    expect(stage({ speakerId: 'gone' }, { layout: 'speaker' }).main).toBe('anna-camera');
  });

  it('keeps what is pinned large whoever speaks or shares, until it is gone', () => {
    const pinned = { layout: 'speaker', pinned: 'anna-camera' } as const;
    expect(stage({ screens: ['ben-screen'], speakerId: 'ben' }, pinned).main).toBe('anna-camera');
    expect(stage({ participants: ['me', 'ben'].map(person) }, pinned).main).toBe('ben-camera');
  });

  it('has one’s own picture in a corner or nowhere, but as a tile for who is alone or pinned it', () => {
    const corner = stage({}, { selfView: 'corner' });
    expect(corner).toEqual({ main: undefined, others: ['anna-camera', 'ben-camera'], corner: 'me-camera' });
    expect(stage({}, { selfView: 'hidden' })).toEqual({ ...corner, corner: undefined });
    const beside = stage({ screens: ['ben-screen'] }, { selfView: 'corner' });
    expect(beside, 'no tile is under it').toEqual({
      main: 'ben-screen',
      others: ['anna-camera', 'ben-camera', 'me-camera'],
      corner: undefined,
    });
    const alone = { main: undefined, others: ['me-camera'], corner: undefined };
    expect(stage({ participants: [person('me')] }, { selfView: 'hidden' })).toEqual(alone);
    expect(stage({}, { selfView: 'corner', pinned: 'me-camera' })).toMatchObject({
      main: 'me-camera',
      corner: undefined,
    });
  });

  it('is one thing and oneself in a small window: the screen, or who speaks', () => {
    const facts = { participants: ['me', 'anna', 'ben'].map(person), selfId: 'me', screens: [], speakerId: 'ben' };
    const keys = ({ others, corner }: StageItems) => [others.map(({ key }) => key), corner?.key];
    expect(keys(chooseOne(facts))).toEqual([['ben-camera'], 'me-camera']);
    expect(keys(chooseOne({ ...facts, screens: ['anna-screen'] }))).toEqual([['anna-screen'], 'me-camera']);
    expect(keys(chooseOne({ ...facts, participants: [person('me')] }))).toEqual([['me-camera'], undefined]);
  });

  it('is not large what is the only thing there', () => {
    const two = { participants: ['me', 'anna'].map(person) };
    expect(stage(two, { layout: 'speaker', selfView: 'corner' })).toMatchObject({
      main: undefined,
      others: ['anna-camera'],
      corner: 'me-camera',
    });
  });
});
