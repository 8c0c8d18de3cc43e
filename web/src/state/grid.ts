export interface GridOptions {
  gap: number;
  /** The narrowest and the widest shape that a tile may have, as width / height. */
  aspectMin: number;
  aspectMax: number;
}

export interface Grid {
  columns: number;
  rows: number;
  /** Of one tile, in pixels. */
  width: number;
  height: number;
}

/** The arrangement of `count` equal tiles in `width` x `height` pixels that makes each as large as it can be. */
export function layOutGrid(count: number, width: number, height: number, options: GridOptions): Grid {
  let best: Grid = { columns: 1, rows: Math.max(count, 1), width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    // As wide with fewer rows' worth of holes is the same arrangement as one column less.
    if (Math.ceil(count / rows) !== columns) continue;
    const tile = largestTile(
      (width - options.gap * (columns - 1)) / columns,
      (height - options.gap * (rows - 1)) / rows,
      options,
    );
    if (tile.width * tile.height > best.width * best.height) best = { columns, rows, ...tile };
  }
  return best;
}

/** The largest tile of an allowed shape in a cell, in whole pixels. */
function largestTile(
  width: number,
  height: number,
  { aspectMin, aspectMax }: GridOptions,
): { width: number; height: number } {
  if (width <= 0 || height <= 0) return { width: 0, height: 0 };
  const aspect = Math.min(Math.max(width / height, aspectMin), aspectMax);
  const fitted = Math.min(width, height * aspect);
  return { width: Math.floor(fitted), height: Math.floor(fitted / aspect) };
}
