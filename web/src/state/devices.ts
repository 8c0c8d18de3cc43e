import { Store } from './store';

export interface DeviceChoice {
  id: string;
  /** Empty until the person allowed one device of the kind. */
  label: string;
}

export interface Devices {
  mics: readonly DeviceChoice[];
  cameras: readonly DeviceChoice[];
  /** Empty where the browser cannot choose one. */
  speakers: readonly DeviceChoice[];
}

type MediaDevicesLike = Pick<MediaDevices, 'enumerateDevices' | 'addEventListener' | 'removeEventListener'>;

/** The devices that can be chosen, kept up to date as they are plugged in and pulled out. */
export class DeviceList extends Store<Devices> {
  readonly #mediaDevices: MediaDevicesLike | undefined;

  constructor(mediaDevices: MediaDevicesLike | undefined = globalThis.navigator?.mediaDevices) {
    super({ mics: [], cameras: [], speakers: [] });
    this.#mediaDevices = mediaDevices;
    mediaDevices?.addEventListener('devicechange', this.refresh);
  }

  /** Reads the list again; labels appear only once a device was allowed. */
  readonly refresh = async (): Promise<void> => {
    const all = (await this.#mediaDevices?.enumerateDevices().catch(() => undefined)) ?? [];
    const ofKind = (kind: MediaDeviceKind) =>
      all
        .filter((device) => device.kind === kind && device.deviceId !== '')
        .map(({ deviceId, label }) => ({ id: deviceId, label }));
    this.set({ mics: ofKind('audioinput'), cameras: ofKind('videoinput'), speakers: ofKind('audiooutput') });
  };

  close(): void {
    this.#mediaDevices?.removeEventListener('devicechange', this.refresh);
  }
}
