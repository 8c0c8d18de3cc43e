import { describe, expect, it } from 'vitest';
import type { StageItem, StageItems } from './stage-items';
import { type Place, placeItems } from './stage-places';

const camera = (id: number): StageItem => ({ key: `${id}-camera`, participantId: `${id}`, source: 'camera' });
const screen: StageItem = { key: '0-screen', participantId: '0', source: 'screen' };
const people = (count: number) => Array.from({ length: count }, (_, index) => camera(index));

function items(change: Partial<StageItems>): StageItems {
  return { main: undefined, others: [], corner: undefined, ...change };
}

const overlap = (one: Place, other: Place) =>
  one.x < other.x + other.width &&
  other.x < one.x + one.width &&
  one.y < other.y + other.height &&
  other.y < one.y + one.height;

const WINDOWS = [
  [1440, 800],
  [1280, 620],
  [390, 700],
  [820, 340],
] as const;

describe('Places on the stage', () => {
  it.each(WINDOWS)(
    'are inside of a window of %i x %i and beside each other, however many there are',
    (width, height) => {
      for (const main of [undefined, screen, camera(100)]) {
        for (const count of [0, 1, 2, 3, 7, 16, 25, 49, 60]) {
          const { places } = placeItems(items({ main, others: people(count) }), width, height);
          const all = [...places.values()];
          for (const place of all) {
            expect(place.width * place.height, `${count} in ${width}x${height}`).toBeGreaterThan(0);
            expect(Math.min(place.x, place.y)).toBeGreaterThanOrEqual(0);
            expect(place.x + place.width).toBeLessThanOrEqual(width);
            expect(place.y + place.height).toBeLessThanOrEqual(height);
          }
          for (const [index, place] of all.entries()) {
            expect(all.slice(index + 1).filter((other) => overlap(place, other))).toEqual([]);
          }
        }
      }
    },
  );

  it('show 49 in a large window, and the others on pages of their own', () => {
    const all = items({ others: people(60) });
    const first = placeItems(all, 1440, 800);
    expect([first.places.size, first.pages, first.page]).toEqual([49, 2, 0]);
    const second = placeItems(all, 1440, 800, 1);
    expect([...second.places.keys()]).toEqual(
      people(60)
        .slice(49)
        .map(({ key }) => key),
    );
    expect(placeItems(all, 1440, 800, 7).page, 'one that is there').toBe(1);
  });

  it('make no tile too small to recognise somebody, on a phone either', () => {
    const { places, pages } = placeItems(items({ others: people(49) }), 390, 700);
    expect(pages).toBeGreaterThan(1);
    for (const { width } of places.values()) expect(width).toBeGreaterThanOrEqual(104);
  });

  it('give a shared screen most of the window, with those beside it on pages', () => {
    for (const [width, height] of WINDOWS) {
      const { places, pages } = placeItems(items({ main: screen, others: people(30) }), width, height);
      const place = places.get(screen.key) as Place;
      const share = (place.width * place.height) / (width * height);
      expect(share).toBeGreaterThan(width > height ? 0.7 : 0.4);
      expect(pages).toBeGreaterThan(1);
      expect(places.size).toBeGreaterThan(1);
    }
  });

  it('keep one’s own picture small in the lower right corner', () => {
    const own = camera(9);
    const place = placeItems(items({ others: people(2), corner: own }), 1440, 800).places.get(own.key) as Place;
    expect(place).toMatchObject({ x: 1440 - 12 - place.width, y: 800 - 12 - place.height });
    expect(place.width).toBeLessThan(1440 / 5);
  });
});
