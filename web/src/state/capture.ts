export interface CaptureSize {
  width: number;
  height: number;
  frameRate: number;
}

const DEFAULT: CaptureSize = { width: 1280, height: 720, frameRate: 30 };

/** What to ask of the camera: `?capture=320x180@15` in the page's address, for machines that have many pages open. */
export function captureSize(search: string): CaptureSize {
  const match = /^(\d{2,4})x(\d{2,4})@(\d{1,2})$/.exec(new URLSearchParams(search).get('capture') ?? '');
  if (!match) return DEFAULT;
  return { width: Number(match[1]), height: Number(match[2]), frameRate: Number(match[3]) };
}
