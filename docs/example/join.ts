import { joinMeeting, type Participant } from '../../web/src/client';

const query = new URLSearchParams(location.search);
const origin = query.get('server') ?? 'http://127.0.0.1:4400';
const room = query.get('room') ?? 'example';
const name = query.get('name') ?? 'Example';

// Before joining, because a page that captures may play sound without a click.
const devices = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
const meeting = await joinMeeting({ origin, room, name }).catch((failure: Error) => {
  document.body.textContent = failure.message;
  throw failure;
});
addEventListener('pagehide', () => meeting.leave());
meeting.on('ended', (failure) => document.body.replaceChildren(failure.message));
meeting.on('participants', show);
show(meeting.participants);
for (const track of devices.getTracks()) meeting.publish(track.kind === 'audio' ? 'mic' : 'camera', track);

/** Plays everybody, oneself without sound. */
function show(participants: readonly Participant[]): void {
  for (const figure of document.querySelectorAll('figure')) {
    if (!participants.some(({ id }) => id === figure.id)) figure.remove();
  }
  for (const { id, name, media } of participants) {
    const tracks = id === meeting.selfId ? devices.getVideoTracks() : [media.camera?.track, media.mic?.track];
    const stream = streamOf(id) ?? addFigure(id, name);
    for (const track of stream.getTracks()) if (!tracks.includes(track)) stream.removeTrack(track);
    for (const track of tracks) if (track) stream.addTrack(track);
  }
}

function streamOf(id: string): MediaStream | undefined {
  return document.getElementById(id)?.querySelector('video')?.srcObject as MediaStream | undefined;
}

function addFigure(id: string, name: string): MediaStream {
  const stream = new MediaStream();
  const figure = Object.assign(document.createElement('figure'), { id });
  Object.assign(figure.dataset, { testid: 'tile', participantId: id, name });
  figure.append(Object.assign(document.createElement('video'), { autoplay: true, srcObject: stream }), name);
  document.body.append(figure);
  return stream;
}
