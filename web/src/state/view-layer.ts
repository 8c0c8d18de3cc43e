/** Heights of the layers that a camera of 720 lines is sent in; smaller cameras give less at each. */
const LAYER_HEIGHTS = [180, 360];
/** By how much a picture may be enlarged before the next layer is worth its bandwidth. */
const ENLARGED_MAX = 1.25;
/** Finer screens show no more of a moving face. */
const PIXEL_RATIO_MAX = 2;

/** Narrower than this a screen is not read, but recognised. */
const READ_WIDTH_MIN = 400;

/** The layer that fills a tile of `width` x `height` CSS pixels, 0 the lowest. */
export function viewLayer(width: number, height: number, pixelRatio: number): number {
  // A tile that is wider than the picture cuts it above and below.
  const lines = Math.max(height, (width * 9) / 16) * Math.min(pixelRatio, PIXEL_RATIO_MAX);
  const layer = LAYER_HEIGHTS.findIndex((layerHeight) => lines <= layerHeight * ENLARGED_MAX);
  return layer === -1 ? LAYER_HEIGHTS.length : layer;
}

/** The layer of a shared screen for a tile that is so wide: few frames, or all. */
export function screenLayer(width: number): number {
  return width < READ_WIDTH_MIN ? 0 : 1;
}
