import type { Texts } from './en';

export const es: Texts = {
  menu: {
    show: 'Mostrar Hyperion',
    mute: 'Silenciar el micrófono',
    unmute: 'Activar el micrófono',
    chooseServer: 'Elegir otro servidor…',
    quit: 'Salir',
    edit: 'Edición',
    view: 'Ver',
    reload: 'Recargar',
    resetZoom: 'Tamaño real',
    zoomIn: 'Acercar',
    zoomOut: 'Alejar',
    fullScreen: 'Pantalla completa',
  },
  tray: {
    inMeeting: (room, micOn) => `En la reunión ${room}, micrófono ${micOn ? 'activado' : 'silenciado'}`,
  },
  notifications: {
    muted: { title: 'Su micrófono está silenciado', body: 'Nadie en la reunión le oye.' },
    heard: { title: 'Su micrófono está activado', body: 'Toda la reunión le oye.' },
  },
  unload: {
    unsaved: 'Lo que ha escrito aún no se ha enviado.',
    leave: 'Salir de la página',
    stay: 'Quedarse',
  },
  choose: {
    title: '¿En qué servidor se reúne?',
    lead: 'Escriba la dirección de su servidor Hyperion. Solo se pregunta una vez.',
    linkedTitle: 'Un enlace lleva a otro servidor',
    linkedLead: (current) =>
      current === undefined
        ? 'El enlace que ha abierto lleva a este servidor. Continúe solo si lo conoce.'
        : `El enlace que ha abierto lleva a este servidor y no al suyo, ${current}. Continúe solo si lo conoce.`,
    label: 'Dirección del servidor',
    example: 'Por ejemplo meet.example.org',
    connect: 'Conectar',
    cancel: 'Cancelar',
    problems: {
      empty: 'Escriba una dirección.',
      invalid: 'Esto no es la dirección de un servidor.',
      insecure: 'A los servidores de otros equipos solo se llega por https://.',
    },
  },
  trust: {
    title: '¿Conoce este certificado?',
    lead: (host) =>
      `Nadie que este equipo conozca responde por ${host}. Si el servidor creó su certificado él mismo, mostró esta huella al arrancar. Compare las dos, o pregunte a quien gestiona el servidor.`,
    changedTitle: 'El certificado ha cambiado',
    changedLead: (host) =>
      `${host} muestra otro certificado que el que usted aceptó. Puede haber alguien entre usted y el servidor, así que Hyperion no se conecta. Pregunte a quien gestiona el servidor si tiene un certificado nuevo.`,
    fingerprint: 'Huella (SHA-256)',
    fingerprintNow: 'Huella actual (SHA-256)',
    fingerprintBefore: 'Huella que usted aceptó',
    trust: 'Son iguales: confiar',
    retry: 'Reintentar',
    forget: 'Olvidar lo que acepté',
    other: 'Elegir otro servidor',
  },
  unreachable: {
    title: (host) => `No se puede llegar a ${host}`,
    lead: 'Compruebe si este equipo está en la red y si la dirección es correcta. Puede que el servidor esté parado.',
    reason: 'Motivo',
    retry: 'Reintentar',
    other: 'Elegir otro servidor',
  },
  switch: {
    title: '¿Salir de esta reunión?',
    lead: (from, to) => `Está en ${from}. El enlace que ha abierto lleva a ${to}.`,
    leave: 'Salir y abrir la otra',
    stay: 'Quedarse aquí',
  },
  picker: {
    title: '¿Qué quiere compartir?',
    screens: 'Pantallas',
    windows: 'Ventanas',
    none: 'No hay nada que se pueda compartir.',
    sound: 'Compartir también el sonido de este equipo',
    share: 'Compartir',
    cancel: 'Cancelar',
  },
};
