import type { AddressProblem } from '../shared/server-address';

interface Notice {
  title: string;
  body: string;
}

export const en = {
  menu: {
    show: 'Show Hyperion',
    mute: 'Mute microphone',
    unmute: 'Unmute microphone',
    chooseServer: 'Choose another server …',
    quit: 'Quit',
    edit: 'Edit',
    view: 'View',
    reload: 'Reload',
    resetZoom: 'Actual size',
    zoomIn: 'Zoom in',
    zoomOut: 'Zoom out',
    fullScreen: 'Full screen',
  },
  tray: {
    inMeeting: (room: string, micOn: boolean): string => `In the meeting ${room}, microphone ${micOn ? 'on' : 'off'}`,
  },
  notifications: {
    muted: { title: 'You are muted', body: 'Nobody in the meeting hears you.' } as Notice,
    heard: { title: 'Your microphone is on', body: 'Everybody in the meeting hears you.' } as Notice,
  },
  unload: {
    unsaved: 'What you have written is not sent yet.',
    leave: 'Leave the page',
    stay: 'Stay',
  },
  choose: {
    title: 'Which server do you meet on?',
    lead: 'Type the address of your Hyperion server. It is asked for once.',
    linkedTitle: 'A link leads to another server',
    linkedLead: (current: string | undefined): string =>
      current === undefined
        ? 'The link that you opened leads to this server. Go on only if you know it.'
        : `The link that you opened leads to this server, and not to yours, ${current}. Go on only if you know it.`,
    label: 'Address of the server',
    example: 'For example meet.example.org',
    connect: 'Connect',
    cancel: 'Cancel',
    problems: {
      empty: 'Type an address.',
      invalid: 'This is no address of a server.',
      insecure: 'Servers on other computers are reached by https:// only.',
    } as Record<AddressProblem, string>,
  },
  trust: {
    title: 'Do you know this certificate?',
    lead: (host: string): string =>
      `Nobody that this computer knows vouches for ${host}. If the server made its certificate itself, it printed this fingerprint when it started. Compare the two, or ask whoever runs the server.`,
    changedTitle: 'The certificate has changed',
    changedLead: (host: string): string =>
      `${host} shows another certificate than the one that you trusted. Somebody may be between you and the server, so Hyperion does not connect. Ask whoever runs the server whether it has a new certificate.`,
    fingerprint: 'Fingerprint (SHA-256)',
    fingerprintNow: 'Fingerprint now (SHA-256)',
    fingerprintBefore: 'Fingerprint that you trusted',
    trust: 'They are the same: trust it',
    retry: 'Try again',
    forget: 'Forget what I trusted',
    other: 'Choose another server',
  },
  unreachable: {
    title: (host: string): string => `${host} cannot be reached`,
    lead: 'Look whether this computer is in the network and whether the address is right. The server may be down.',
    reason: 'Reason',
    retry: 'Try again',
    other: 'Choose another server',
  },
  switch: {
    title: 'Leave this meeting?',
    lead: (from: string, to: string): string => `You are in ${from}. The link that you opened leads to ${to}.`,
    leave: 'Leave and open the other',
    stay: 'Stay here',
  },
  picker: {
    title: 'What do you want to share?',
    screens: 'Screens',
    windows: 'Windows',
    none: 'There is nothing that can be shared.',
    sound: 'Share the sound of this computer too',
    share: 'Share',
    cancel: 'Cancel',
  },
};

export type Texts = typeof en;
