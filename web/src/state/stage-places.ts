import { type GridOptions, layOutGrid } from './grid';
import type { StageItem, StageItems } from './stage-items';

/** In pixels, from the stage's upper left corner. */
export interface Place {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface StagePlaces {
  /** By the items' keys. What has no place is on another page. */
  places: ReadonlyMap<string, Place>;
  /** How many pages there are of what is not large. */
  pages: number;
  /** Which of them is shown, from 0. */
  page: number;
  /** Where the buttons belong that turn the pages: the area of what they turn. */
  turned: Place;
}

export const GAP = 10;
const TILES_MAX = 49;
/** Nobody is known by a smaller picture. */
const TILE_WIDTH_MIN = 104;
/** Beside what is large. */
const STRIP_TILE_MIN = 120;
/** For each pixel of width: that of the highest screens, of 4:3. */
const SCREEN_HEIGHT = 3 / 4;
/** A little is cut off at the sides before two people are stacked in a wide window. */
const LANDSCAPE: GridOptions = { gap: GAP, aspectMin: 3 / 2, aspectMax: 16 / 9 };
/** A phone held upright has little width to give: its tiles may be upright too. */
const PORTRAIT: GridOptions = { gap: GAP, aspectMin: 0.7, aspectMax: 1.6 };
const CORNER_INSET = 12;

/** Where everything on the stage goes in `width` x `height` pixels. */
export function placeItems(items: StageItems, width: number, height: number, wantedPage = 0): StagePlaces {
  const { main, others, corner } = items;
  const shape = width < height ? PORTRAIT : LANDSCAPE;
  const whole = { x: 0, y: 0, width, height };
  const places = new Map<string, Place>();
  let area = whole;
  if (main) {
    const split = others.length === 0 ? { large: whole, rest: whole } : splitFor(main, whole);
    area = split.rest;
    places.set(main.key, main.source === 'screen' ? split.large : shaped(split.large, shape));
  }
  const capacity = capacityOf(area, others.length, shape, main ? Math.min(STRIP_TILE_MIN, area.width) : TILE_WIDTH_MIN);
  const pages = Math.max(1, Math.ceil(others.length / capacity));
  const page = Math.min(wantedPage, pages - 1);
  const shown = others.slice(page * capacity, (page + 1) * capacity);
  // A page that is not full keeps the size of those that are.
  placeGrid(shown, area, pages > 1 ? capacity : shown.length, shape, places);
  if (corner) places.set(corner.key, cornerOf(whole));
  return { places, pages, page, turned: area };
}

/** The area of what is large, and that of the others beside it or, in an upright window, below. */
function splitFor(main: StageItem, whole: Place): { large: Place; rest: Place } {
  const { width, height } = whole;
  if (width > height) {
    const strip = Math.round(clamp(width * 0.18, 132, 264));
    const large = width - strip - GAP;
    return { large: { ...whole, width: large }, rest: { ...whole, x: large + GAP, width: strip } };
  }
  const strip = Math.round(clamp(height * 0.18, 76, 150));
  // A screen is wide, and has no use for more height.
  const large = Math.min(height - strip - GAP, main.source === 'screen' ? Math.round(width * SCREEN_HEIGHT) : height);
  return { large: { ...whole, height: large }, rest: { ...whole, y: large + GAP, height: height - large - GAP } };
}

/** How many tiles that are no smaller than `widthMin` an area has room for, of `count`; at least one. */
function capacityOf({ width, height }: Place, count: number, shape: GridOptions, widthMin: number): number {
  let most = Math.min(Math.max(count, 1), TILES_MAX);
  while (most > 1 && layOutGrid(most, width, height, shape).width < widthMin) most -= 1;
  return most;
}

/** The largest tile of an allowed shape in the middle of an area. */
function shaped(area: Place, shape: GridOptions): Place {
  const { width, height } = layOutGrid(1, area.width, area.height, shape);
  return { x: middle(area.x, area.width, width), y: middle(area.y, area.height, height), width, height };
}

function placeGrid(
  items: readonly StageItem[],
  area: Place,
  count: number,
  shape: GridOptions,
  places: Map<string, Place>,
): void {
  const { columns, rows, width, height } = layOutGrid(count, area.width, area.height, shape);
  const top = middle(area.y, area.height, rows * (height + GAP) - GAP);
  items.forEach(({ key }, index) => {
    const row = Math.floor(index / columns);
    const inRow = Math.min(columns, items.length - row * columns);
    const left = middle(area.x, area.width, inRow * (width + GAP) - GAP);
    places.set(key, { x: left + (index % columns) * (width + GAP), y: top + row * (height + GAP), width, height });
  });
}

function cornerOf({ width, height }: Place): Place {
  const own = Math.round(clamp(Math.min(width, height * 1.6) * 0.2, 96, 240));
  const ownHeight = Math.round(width < height ? own * 1.25 : (own * 9) / 16);
  return {
    x: width - own - CORNER_INSET,
    y: height - ownHeight - CORNER_INSET,
    width: own,
    height: ownHeight,
  };
}

function middle(start: number, length: number, used: number): number {
  return Math.round(start + (length - used) / 2);
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(Math.max(value, min), max);
}
