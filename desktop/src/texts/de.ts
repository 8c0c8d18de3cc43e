import type { Texts } from './en';

export const de: Texts = {
  menu: {
    show: 'Hyperion zeigen',
    mute: 'Mikrofon stummschalten',
    unmute: 'Mikrofon einschalten',
    chooseServer: 'Anderen Server wählen …',
    quit: 'Beenden',
    edit: 'Bearbeiten',
    view: 'Ansicht',
    reload: 'Neu laden',
    resetZoom: 'Originalgröße',
    zoomIn: 'Vergrößern',
    zoomOut: 'Verkleinern',
    fullScreen: 'Vollbild',
  },
  tray: {
    inMeeting: (room, micOn) => `In der Besprechung ${room}, Mikrofon ${micOn ? 'an' : 'aus'}`,
  },
  notifications: {
    muted: { title: 'Sie sind stumm', body: 'Niemand in der Besprechung hört Sie.' },
    heard: { title: 'Ihr Mikrofon ist an', body: 'Alle in der Besprechung hören Sie.' },
  },
  unload: {
    unsaved: 'Was Sie geschrieben haben, ist noch nicht gesendet.',
    leave: 'Seite verlassen',
    stay: 'Bleiben',
  },
  choose: {
    title: 'Auf welchem Server treffen Sie sich?',
    lead: 'Geben Sie die Adresse Ihres Hyperion-Servers ein. Das ist nur einmal nötig.',
    linkedTitle: 'Ein Link führt zu einem anderen Server',
    linkedLead: (current) =>
      current === undefined
        ? 'Der geöffnete Link führt zu diesem Server. Fahren Sie nur fort, wenn Sie ihn kennen.'
        : `Der geöffnete Link führt zu diesem Server und nicht zu Ihrem, ${current}. Fahren Sie nur fort, wenn Sie ihn kennen.`,
    label: 'Adresse des Servers',
    example: 'Zum Beispiel meet.example.org',
    connect: 'Verbinden',
    cancel: 'Abbrechen',
    problems: {
      empty: 'Geben Sie eine Adresse ein.',
      invalid: 'Das ist keine Adresse eines Servers.',
      insecure: 'Server auf anderen Rechnern werden nur über https:// erreicht.',
    },
  },
  trust: {
    title: 'Kennen Sie dieses Zertifikat?',
    lead: (host) =>
      `Niemand, den dieser Rechner kennt, bürgt für ${host}. Hat der Server sein Zertifikat selbst gemacht, so hat er diesen Fingerabdruck beim Start ausgegeben. Vergleichen Sie beide, oder fragen Sie, wer den Server betreibt.`,
    changedTitle: 'Das Zertifikat hat sich geändert',
    changedLead: (host) =>
      `${host} zeigt ein anderes Zertifikat als das, dem Sie vertraut haben. Es kann jemand zwischen Ihnen und dem Server sein; Hyperion verbindet sich deshalb nicht. Fragen Sie, wer den Server betreibt, ob er ein neues Zertifikat hat.`,
    fingerprint: 'Fingerabdruck (SHA-256)',
    fingerprintNow: 'Fingerabdruck jetzt (SHA-256)',
    fingerprintBefore: 'Fingerabdruck, dem Sie vertraut haben',
    trust: 'Sie sind gleich: vertrauen',
    retry: 'Erneut versuchen',
    forget: 'Vergessen, wem ich vertraut habe',
    other: 'Anderen Server wählen',
  },
  unreachable: {
    title: (host) => `${host} ist nicht erreichbar`,
    lead: 'Prüfen Sie, ob dieser Rechner im Netz ist und ob die Adresse stimmt. Vielleicht läuft der Server nicht.',
    reason: 'Grund',
    retry: 'Erneut versuchen',
    other: 'Anderen Server wählen',
  },
  switch: {
    title: 'Diese Besprechung verlassen?',
    lead: (from, to) => `Sie sind in ${from}. Der geöffnete Link führt zu ${to}.`,
    leave: 'Verlassen und die andere öffnen',
    stay: 'Hier bleiben',
  },
  picker: {
    title: 'Was möchten Sie teilen?',
    screens: 'Bildschirme',
    windows: 'Fenster',
    none: 'Es gibt nichts, was geteilt werden kann.',
    sound: 'Auch den Ton dieses Rechners teilen',
    share: 'Teilen',
    cancel: 'Abbrechen',
  },
};
