import type { FailureCode } from '../../client';
import type { BrowserFamily } from '../../state/browser';
import type { Problem } from '../../state/local-media';

interface EndText {
  title: string;
  text: string;
}

const allowAgain: Record<BrowserFamily, (device: string) => string> = {
  chromium: (device) => `Click the icon to the left of the page address, allow the ${device}, and try again.`,
  firefox: (device) =>
    `Click the permissions icon beside the page address, remove the block on the ${device}, and try again.`,
  safari: (device) => `Open the page settings beside the address, allow the ${device}, and try again.`,
};

/** How sentences speak of a microphone, a camera, or of both. */
interface DeviceWords {
  name: string;
  some: string;
  is: string;
  it: string;
  missing: string;
  another: string;
  /** After it stopped in the middle of a meeting. */
  lost: string;
}

const microphone: DeviceWords = {
  name: 'microphone',
  some: 'a microphone',
  is: 'is',
  it: 'it',
  missing: 'No microphone was found. Plug one in, or choose another.',
  another: 'another',
  lost: 'Your microphone stopped: others cannot hear you.',
};
const camera: DeviceWords = {
  name: 'camera',
  some: 'a camera',
  is: 'is',
  it: 'it',
  missing: 'No camera was found. Plug one in, or choose another.',
  another: 'another',
  lost: 'Your camera stopped: others cannot see you.',
};
const both: DeviceWords = {
  name: 'camera and microphone',
  some: 'camera and microphone',
  is: 'are',
  it: 'them',
  missing: 'No camera and no microphone were found. Plug them in, or choose others.',
  another: 'others',
  lost: 'Your camera and microphone stopped: others can neither see nor hear you.',
};

const problems = ({ name, some, is, it, missing, another, lost }: DeviceWords) => ({
  of: (problem: Problem, browser: BrowserFamily): string => {
    switch (problem) {
      case 'denied':
        return `This page may not use your ${name}. ${allowAgain[browser](name)}`;
      case 'deniedBySystem':
        return `Your system keeps the ${name} from this browser. Allow ${it} in the system’s privacy settings, then try again.`;
      case 'missing':
        return missing;
      case 'busy':
        return `Your ${name} ${is} in use by another program. Close that program, then try again.`;
      case 'insecure':
        return `Browsers give ${some} only to secure pages. Open this page with https:// or on localhost.`;
      case 'unknown':
        return `Your ${name} did not start. Unplug ${it} and plug ${it} in again, or choose ${another}.`;
    }
  },
  joinAnyway: `You can join without ${it}.`,
  lost,
  /** While the browser waits for an answer. */
  allow: `Allow ${name} in your browser’s question.`,
});

const otherEnd: EndText = {
  title: 'Something went wrong',
  text: 'The server could not let you in. Try again in a moment.',
};

const ends: Partial<Record<FailureCode, EndText>> = {
  room_full: {
    title: 'This meeting is full',
    text: 'It holds as many people as it may. Try again when somebody has left.',
  },
  server_full: { title: 'The server is busy', text: 'It carries as many meetings as it can right now.' },
  superseded: {
    title: 'You are in this meeting somewhere else',
    text: 'It was opened in another tab or window, so this one has stopped.',
  },
  forbidden: {
    title: 'You cannot join this meeting',
    text: 'You were removed, or you need an invitation of your own.',
  },
  unauthorized: { title: 'This invitation does not work any more', text: 'Ask whoever invited you for a new link.' },
  session_expired: {
    title: 'You were away for too long',
    text: 'The meeting went on without you. You can join again.',
  },
  draining: {
    title: 'The server was stopped',
    text: 'If it is restarting, your meeting is back in a moment. Please keep this page open.',
  },
  unreachable: {
    title: 'The server cannot be reached',
    text: 'Check your internet connection. We keep trying for as long as this page is open.',
  },
  timeout: { title: 'The server does not answer', text: 'Your network may be slow. We keep trying.' },
  rate_limited: { title: 'One moment', text: 'There were too many attempts to join from your network.' },
  log_unavailable: { title: 'One moment', text: 'The server is recovering and lets people in again shortly.' },
  unsupported_browser: {
    title: 'This browser cannot hold meetings',
    text: 'Please open the link in a current Chrome, Edge, Firefox or Safari.',
  },
};

/** Where the server's own words are about what people do not see. */
const notSentReasons: Partial<Record<FailureCode, string>> = {
  closed: 'the connection was lost for too long, and it may or may not have arrived.',
  request_expired: 'it waited for too long, and it may or may not have arrived.',
  internal: 'the server could not take it.',
};

/** How badly somebody's media arrives. */
const networks = { weak: 'weak connection', stalled: 'connection lost' };

/** Every text that people see or hear. Another language is another object of the same type. */
export const en = {
  product: 'Hyperion',
  start: {
    title: 'Good meetings, on your own server',
    lead: 'Start a meeting and send the link. Whoever opens it is in: no account, nothing to install.',
    create: 'New meeting',
    roomLabel: 'Meeting name or link',
    roomPlaceholder: 'Enter a name or link',
    join: 'Join',
    badRoom: 'Use the letters a to z, digits, hyphens and underscores, or paste the whole link.',
    longRoom: 'A meeting’s name has at most 64 characters.',
    elsewhere: (host: string) => `That link leads to another server, ${host}. Open it in the address bar.`,
    badLink: 'That link does not lead to a meeting. Check that it was copied completely.',
    badName:
      'That link does not lead to a meeting. A name has only the letters a to z, digits, hyphens and underscores, at most 64 of them.',
    recent: 'Recent meetings',
    recentHint: 'Kept in this browser only',
    forget: (room: string) => `Remove ${room} from this list`,
  },
  greenRoom: {
    title: 'Ready to join?',
    meeting: 'Meeting',
    nameLabel: 'Your name',
    namePlaceholder: 'How others see you',
    nameMissing: 'Enter a name so that others know who you are.',
    join: 'Join now',
    joining: 'Joining…',
    slow: 'This takes longer than usual.',
    cancel: 'Cancel',
    preview: 'Your camera',
    cameraOff: 'Camera is off',
    cameraStarting: 'Camera is starting…',
    microphoneLevel: 'Microphone level',
  },
  devices: {
    title: 'Audio and video',
    microphone: 'Microphone',
    camera: 'Camera',
    speaker: 'Speaker',
    systemDefault: 'System default',
    unnamed: (kind: string, number: number) => `${kind} ${number}`,
    none: 'None found',
    starting: 'Starting…',
    refused: 'Access was refused',
    test: 'Test',
    testLabel: 'Play a test sound',
    testing: 'Playing…',
    tryAgain: 'Try again',
    close: 'Close',
  },
  controls: {
    label: 'Meeting controls',
    micOn: (shortcut: string) => `Turn off microphone (${shortcut})`,
    micOff: (shortcut: string) => `Turn on microphone (${shortcut})`,
    cameraOn: (shortcut: string) => `Turn off camera (${shortcut})`,
    cameraOff: (shortcut: string) => `Turn on camera (${shortcut})`,
    notHeard: (label: string) => `${label}. Others cannot hear you`,
    notSeen: (label: string) => `${label}. Others cannot see you`,
    micProblem: 'Microphone does not work. Show why',
    cameraProblem: 'Camera does not work. Show why',
    settings: 'Audio and video settings',
    leave: 'Leave meeting',
    copyLink: 'Copy link',
    copied: 'Link copied',
    notCopied: 'Copy it by hand',
    commandKey: '⌘',
    controlKey: 'Ctrl+',
  },
  meeting: {
    title: (room: string) => `Meeting ${room}`,
    stage: 'Participants',
    you: 'You',
    nameOfSelf: (name: string) => `${name} (you)`,
    tile: (name: string, muted: boolean, speaking: boolean, network: 'good' | keyof typeof networks) =>
      `${name}${muted ? ', muted' : ''}${speaking ? ', speaking' : ''}${network === 'good' ? '' : `, ${networks[network]}`}`,
    muted: 'muted',
    network: networks,
    unsupported: (name: string) => `This browser lacks the video format of ${name}’s camera, so it cannot be shown.`,
    count: (count: number) => (count === 1 ? '1 person in this meeting' : `${count} people in this meeting`),
    joined: (name: string) => `${name} joined`,
    left: (name: string) => `${name} left`,
    linkCopied: 'The link was copied.',
    linkNotCopied: 'This browser does not let the page copy. Take the link from the address bar.',
    micNotSent: 'Others cannot hear you: your microphone could not be sent.',
    cameraNotSent: 'Others cannot see you: your camera could not be sent.',
    nothingSent: 'Others can neither see nor hear you: camera and microphone could not be sent.',
    tryAgain: 'Try again',
    tryingAgain: 'Trying again…',
    reconnecting: 'Connection lost. Reconnecting…',
    aloneTitle: 'You are the only one here',
    alone: 'Send this link to the people you want to meet.',
    aloneOnLoopback: (flags: string) =>
      `This link opens on this computer only. For others to join, start the server with ${flags}.`,
    dismiss: 'Dismiss',
    soundBlocked: 'Your browser keeps the sound off until you click.',
    turnOnSound: 'Turn on sound',
  },
  stage: {
    pin: (name: string) => `Pin ${name}`,
    unpin: (name: string) => `Unpin ${name}`,
    pages: 'Pages',
    page: (page: number, pages: number) => `Page ${page} of ${pages}`,
    pageBefore: 'Previous page',
    pageNext: 'Next page',
  },
  screen: {
    start: 'Share your screen',
    stop: 'Stop sharing',
    own: 'Your screen',
    of: (name: string) => `${name}’s screen`,
    coming: 'The screen is coming…',
    sharing: 'You are sharing your screen.',
    sharingWithSound: 'You are sharing your screen with its sound.',
    hintLabel: 'Best for',
    hints: { detail: 'Text and slides', motion: 'Video and motion' },
    shares: (name: string) => `${name} shares their screen`,
    sharesNoMore: (name: string) => `${name} stopped sharing`,
    problems: {
      deniedBySystem:
        'Your system keeps screens from this browser. Allow it in the system’s privacy settings, then share again.',
      busy: 'Your system does not give this screen out. Choose another one.',
      notSent: 'Others cannot see your screen: it could not be sent. Share it again.',
      unknown: 'Your screen could not be shared. Try again, or choose another one.',
    },
  },
  more: {
    open: 'More options',
    layout: 'Layout',
    layouts: { auto: 'Automatic', grid: 'Grid', speaker: 'Speaker' },
    selfView: 'Your own picture',
    selfViews: { tile: 'As a tile', corner: 'Small, in a corner', hidden: 'Hidden' },
  },
  chat: {
    title: 'Chat',
    open: (shortcut: string) => `Open chat (${shortcut})`,
    openUnread: (shortcut: string, unread: number) => `Open chat (${shortcut}), ${unread} unread`,
    hide: (shortcut: string) => `Close chat (${shortcut})`,
    close: 'Close chat',
    unread: (count: number) => (count === 1 ? '1 unread chat message' : `${count} unread chat messages`),
    manyUnread: '99+',
    messages: 'Messages',
    emptyTitle: 'No messages yet',
    empty: 'Everybody in this meeting can read what is written here, and so can those who join later.',
    gap: 'Some messages in between are not shown here.',
    inputLabel: 'Message to everybody',
    placeholder: 'Message to everybody',
    send: 'Send',
    sendHint: 'Enter sends, Shift+Enter starts a new line.',
    left: (bytes: number) => `${bytes} bytes left`,
    over: (bytes: number) => `${bytes} bytes too long`,
    tooLong: 'The message is too long.',
    full: 'Too many messages wait to be sent.',
    openNotSent: (shortcut: string) => `Open chat (${shortcut}). A message was not sent`,
    someNotSent: 'A chat message was not sent.',
    newMessages: 'New messages',
    sending: 'Sending…',
    notSent: (reason: string) => `Not sent: ${reason}`,
    /** What the server says, or else its code. */
    reason: (code: FailureCode, said: string) => notSentReasons[code] ?? (said === '' ? code : said),
    tryAgain: 'Try again',
    remove: 'Remove',
  },
  end: {
    leftTitle: 'You left the meeting',
    left: 'Left by mistake? Your place is one click away.',
    rejoin: 'Rejoin',
    tryNow: 'Try now',
    tryAgain: 'Try again',
    joinHere: 'Join here instead',
    home: 'Back to start',
    comeBackWith: 'You come back with:',
    turnedOff: 'Camera and microphone were turned off meanwhile.',
    retryIn: (seconds: number) => (seconds === 0 ? 'Trying again…' : `Trying again in ${seconds} s`),
    of: (code: FailureCode): EndText => ends[code] ?? otherEnd,
  },
  problems: { mic: problems(microphone), camera: problems(camera), both: problems(both) },
};

export type Texts = typeof en;
