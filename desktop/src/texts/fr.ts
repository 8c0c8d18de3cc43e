import type { Texts } from './en';

export const fr: Texts = {
  menu: {
    show: 'Afficher Hyperion',
    mute: 'Couper le micro',
    unmute: 'Activer le micro',
    chooseServer: 'Choisir un autre serveur…',
    quit: 'Quitter',
    edit: 'Édition',
    view: 'Affichage',
    reload: 'Recharger',
    resetZoom: 'Taille réelle',
    zoomIn: 'Agrandir',
    zoomOut: 'Réduire',
    fullScreen: 'Plein écran',
  },
  tray: {
    inMeeting: (room, micOn) => `Dans la réunion ${room}, micro ${micOn ? 'activé' : 'coupé'}`,
  },
  notifications: {
    muted: { title: 'Votre micro est coupé', body: 'Personne dans la réunion ne vous entend.' },
    heard: { title: 'Votre micro est activé', body: 'Toute la réunion vous entend.' },
  },
  unload: {
    unsaved: 'Ce que vous avez écrit n’est pas encore envoyé.',
    leave: 'Quitter la page',
    stay: 'Rester',
  },
  choose: {
    title: 'Sur quel serveur vous réunissez-vous ?',
    lead: 'Saisissez l’adresse de votre serveur Hyperion. Elle n’est demandée qu’une fois.',
    linkedTitle: 'Un lien mène à un autre serveur',
    linkedLead: (current) =>
      current === undefined
        ? 'Le lien que vous avez ouvert mène à ce serveur. Continuez seulement si vous le connaissez.'
        : `Le lien que vous avez ouvert mène à ce serveur et non au vôtre, ${current}. Continuez seulement si vous le connaissez.`,
    label: 'Adresse du serveur',
    example: 'Par exemple meet.example.org',
    connect: 'Se connecter',
    cancel: 'Annuler',
    problems: {
      empty: 'Saisissez une adresse.',
      invalid: 'Ce n’est pas l’adresse d’un serveur.',
      insecure: 'Les serveurs d’autres ordinateurs ne sont joints que par https://.',
    },
  },
  trust: {
    title: 'Connaissez-vous ce certificat ?',
    lead: (host) =>
      `Personne que cet ordinateur connaît ne se porte garant de ${host}. Si le serveur a créé son certificat lui-même, il a affiché cette empreinte à son démarrage. Comparez les deux, ou demandez à la personne qui gère le serveur.`,
    changedTitle: 'Le certificat a changé',
    changedLead: (host) =>
      `${host} présente un autre certificat que celui que vous avez approuvé. Quelqu’un se trouve peut-être entre vous et le serveur, Hyperion ne se connecte donc pas. Demandez à la personne qui gère le serveur s’il a un nouveau certificat.`,
    fingerprint: 'Empreinte (SHA-256)',
    fingerprintNow: 'Empreinte actuelle (SHA-256)',
    fingerprintBefore: 'Empreinte que vous avez approuvée',
    trust: 'Elles sont identiques : approuver',
    retry: 'Réessayer',
    forget: 'Oublier ce que j’ai approuvé',
    other: 'Choisir un autre serveur',
  },
  unreachable: {
    title: (host) => `${host} est injoignable`,
    lead: 'Vérifiez que cet ordinateur est sur le réseau et que l’adresse est juste. Le serveur est peut-être arrêté.',
    reason: 'Raison',
    retry: 'Réessayer',
    other: 'Choisir un autre serveur',
  },
  switch: {
    title: 'Quitter cette réunion ?',
    lead: (from, to) => `Vous êtes dans ${from}. Le lien que vous avez ouvert mène à ${to}.`,
    leave: 'Quitter et ouvrir l’autre',
    stay: 'Rester ici',
  },
  picker: {
    title: 'Que voulez-vous partager ?',
    screens: 'Écrans',
    windows: 'Fenêtres',
    none: 'Il n’y a rien à partager.',
    sound: 'Partager aussi le son de cet ordinateur',
    share: 'Partager',
    cancel: 'Annuler',
  },
};
