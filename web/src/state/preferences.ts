import type { SelfView, StageLayout } from './stage-items';
import { lasting, type Shelf } from './storage';
import { Store } from './store';

/** What the browser can do to the sound of a microphone. */
export const PROCESSING = ['noiseSuppression', 'echoCancellation', 'autoGainControl'] as const;
export type Processing = (typeof PROCESSING)[number];

export interface Preferences extends Record<Processing, boolean> {
  name: string;
  micOn: boolean;
  cameraOn: boolean;
  /** Device ids; empty for the browser's default. */
  mic: string;
  camera: string;
  speaker: string;
  /** What to send video with, as `VP9`; empty for VP8, which every browser has. */
  videoCodec: string;
  layout: StageLayout;
  selfView: SelfView;
  /** As `de`; empty for the browser's. */
  language: string;
}

const KEY = 'hyperion.preferences';
const DEFAULTS: Preferences = {
  noiseSuppression: true,
  echoCancellation: true,
  autoGainControl: true,
  name: '',
  micOn: true,
  cameraOn: true,
  mic: '',
  camera: '',
  speaker: '',
  videoCodec: '',
  layout: 'auto',
  selfView: 'tile',
  language: '',
};

/** What a person chose, remembered in this browser. */
export class PreferenceStore extends Store<Preferences> {
  readonly #shelf: Shelf;

  constructor(shelf: Shelf = lasting) {
    super({ ...DEFAULTS, ...valid(shelf.read(KEY)) });
    this.#shelf = shelf;
  }

  override set(preferences: Preferences): void {
    super.set(preferences);
    this.#shelf.write(KEY, preferences);
  }
}

function valid(stored: unknown): Partial<Preferences> {
  if (typeof stored !== 'object' || stored === null) return {};
  const known = Object.entries(stored).filter(
    ([key, value]) => typeof value === typeof DEFAULTS[key as keyof Preferences],
  );
  return Object.fromEntries(known.filter(([key]) => Object.hasOwn(DEFAULTS, key)));
}
