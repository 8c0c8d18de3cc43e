const people = [
  { x: 0, y: 0, look: 'a', speaking: true },
  { x: 252, y: 0, look: 'b', speaking: false },
  { x: 0, y: 164, look: 'c', speaking: false },
  { x: 252, y: 164, look: 'd', speaking: false },
];

/** A drawing of a meeting, for the eye only. */
export function MeetingPicture() {
  return (
    <div className="picture">
      <svg viewBox="0 0 560 440" aria-hidden="true">
        <rect className="picture-window" x="8" y="8" width="544" height="424" rx="24" />
        <g transform="translate(34 34)">
          {people.map(({ x, y, look, speaking }) => (
            <g key={look} transform={`translate(${x} ${y})`}>
              <clipPath id={`picture-${look}`}>
                <rect width="240" height="152" rx="14" />
              </clipPath>
              <g clipPath={`url(#picture-${look})`}>
                <rect className={`picture-tile picture-${look}`} width="240" height="152" />
                <circle className={`picture-person picture-person-${look}`} cx="120" cy="66" r="27" />
                <path className={`picture-person picture-person-${look}`} d="M66 156a54 50 0 0 1 108 0z" />
              </g>
              {speaking && <rect className="picture-ring" x="1.5" y="1.5" width="237" height="149" rx="13" />}
              {!speaking && (
                <rect className="picture-name" x="12" y="126" width={look === 'c' ? 40 : 48} height="14" rx="7" />
              )}
              {speaking && (
                <g className="picture-waves">
                  <rect x="204" y="17" width="4" height="10" rx="2" />
                  <rect x="212" y="12" width="4" height="20" rx="2" />
                  <rect x="220" y="17" width="4" height="10" rx="2" />
                </g>
              )}
            </g>
          ))}
        </g>
        <g transform="translate(272 388)">
          <circle className="picture-button" cx="-66" r="18" />
          <circle className="picture-button" cx="-22" r="18" />
          <circle className="picture-button" cx="22" r="18" />
          <rect className="picture-leave" x="48" y="-18" width="52" height="36" rx="18" />
        </g>
      </svg>
    </div>
  );
}
