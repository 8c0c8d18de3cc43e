import type { Texts } from './en';

export const zh: Texts = {
  menu: {
    show: '显示 Hyperion',
    mute: '将麦克风静音',
    unmute: '打开麦克风',
    chooseServer: '选择其他服务器…',
    quit: '退出',
    edit: '编辑',
    view: '视图',
    reload: '重新加载',
    resetZoom: '实际大小',
    zoomIn: '放大',
    zoomOut: '缩小',
    fullScreen: '全屏',
  },
  tray: {
    inMeeting: (room, micOn) => `正在会议 ${room} 中，麦克风${micOn ? '已打开' : '已静音'}`,
  },
  notifications: {
    muted: { title: '您已静音', body: '会议中没有人能听到您。' },
    heard: { title: '您的麦克风已打开', body: '会议中所有人都能听到您。' },
  },
  unload: {
    unsaved: '您写的内容尚未发送。',
    leave: '离开页面',
    stay: '留下',
  },
  choose: {
    title: '您在哪个服务器上开会？',
    lead: '请输入您的 Hyperion 服务器地址。只需输入一次。',
    linkedTitle: '链接指向另一个服务器',
    linkedLead: (current) =>
      current === undefined
        ? '您打开的链接指向此服务器。仅在您了解它时才继续。'
        : `您打开的链接指向此服务器，而不是您的服务器 ${current}。仅在您了解它时才继续。`,
    label: '服务器地址',
    example: '例如 meet.example.org',
    connect: '连接',
    cancel: '取消',
    problems: {
      empty: '请输入地址。',
      invalid: '这不是服务器地址。',
      insecure: '其他计算机上的服务器只能通过 https:// 访问。',
    },
  },
  trust: {
    title: '您认识此证书吗？',
    lead: (host) =>
      `本计算机所信任的机构都没有为 ${host} 担保。如果该服务器的证书是它自己生成的，它启动时会显示此指纹。请比较两者，或询问服务器的管理员。`,
    changedTitle: '证书已更改',
    changedLead: (host) =>
      `${host} 出示的证书与您信任过的不同。您与服务器之间可能有他人，因此 Hyperion 不会连接。请询问服务器的管理员是否更换了证书。`,
    fingerprint: '指纹（SHA-256）',
    fingerprintNow: '当前指纹（SHA-256）',
    fingerprintBefore: '您信任过的指纹',
    trust: '两者相同：信任',
    retry: '重试',
    forget: '忘记我信任过的证书',
    other: '选择其他服务器',
  },
  unreachable: {
    title: (host) => `无法连接到 ${host}`,
    lead: '请检查本计算机是否已联网、地址是否正确。服务器也可能没有运行。',
    reason: '原因',
    retry: '重试',
    other: '选择其他服务器',
  },
  switch: {
    title: '离开此会议？',
    lead: (from, to) => `您正在 ${from} 中。您打开的链接指向 ${to}。`,
    leave: '离开并打开另一个',
    stay: '留在这里',
  },
  picker: {
    title: '您想共享什么？',
    screens: '屏幕',
    windows: '窗口',
    none: '没有可以共享的内容。',
    sound: '同时共享本计算机的声音',
    share: '共享',
    cancel: '取消',
  },
};
