import { describe, expect, it } from 'vitest';
import { type GridOptions, layOutGrid } from './grid';

const wide: GridOptions = { gap: 8, aspectMin: 16 / 9, aspectMax: 16 / 9 };
const supple: GridOptions = { gap: 8, aspectMin: 0.75, aspectMax: 4 / 3 };

describe('layOutGrid', () => {
  it('gives one tile all the room that its shape allows', () => {
    expect(layOutGrid(1, 1600, 1000, wide)).toEqual({ columns: 1, rows: 1, width: 1600, height: 900 });
  });

  it('puts two side by side where it is wide and one above the other where it is high', () => {
    expect(layOutGrid(2, 1600, 700, wide)).toMatchObject({ columns: 2, rows: 1 });
    expect(layOutGrid(2, 400, 800, wide)).toMatchObject({ columns: 1, rows: 2 });
  });

  it('never goes over the edges and keeps the shape, for 1 to 49 tiles in windows of many shapes', () => {
    for (const [width, height] of [
      [1440, 760],
      [1280, 600],
      [390, 700],
      [700, 300],
      [1000, 1000],
    ] as const) {
      for (let count = 1; count <= 49; count += 1) {
        for (const options of [wide, supple]) {
          const grid = layOutGrid(count, width, height, options);
          expect(grid.columns * grid.rows).toBeGreaterThanOrEqual(count);
          expect(grid.width).toBeGreaterThan(0);
          expect(grid.columns * grid.width + (grid.columns - 1) * options.gap).toBeLessThanOrEqual(width);
          expect(grid.rows * grid.height + (grid.rows - 1) * options.gap).toBeLessThanOrEqual(height);
          expect(grid.width / grid.height).toBeGreaterThan(options.aspectMin * 0.97);
          expect(grid.width / grid.height).toBeLessThan(options.aspectMax * 1.03);
        }
      }
    }
  });

  it('is the best of all arrangements', () => {
    const area = (columns: number, count: number) => {
      const rows = Math.ceil(count / columns);
      const width = Math.min((1440 - 8 * (columns - 1)) / columns, (((760 - 8 * (rows - 1)) / rows) * 16) / 9);
      return width * ((width * 9) / 16);
    };
    for (let count = 1; count <= 49; count += 1) {
      const { width, height } = layOutGrid(count, 1440, 760, wide);
      const best = Math.max(...Array.from({ length: count }, (_, index) => area(index + 1, count)));
      expect(width * height).toBeGreaterThan(best * 0.97);
    }
  });

  it('lets tiles become upright on a phone', () => {
    const { width, height } = layOutGrid(4, 390, 700, supple);
    expect(width).toBeLessThan(height);
  });

  it('survives a window without room', () => {
    expect(layOutGrid(3, 0, 0, wide)).toMatchObject({ width: 0, height: 0 });
  });
});
