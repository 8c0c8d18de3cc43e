import '../styles/panel.css';
import { X } from 'lucide-react';
import { type ReactNode, useEffect, useRef } from 'react';

interface PanelProps {
  id: string;
  title: string;
  /** Of the button that closes it. */
  closeLabel: string;
  onClose: () => void;
  children: ReactNode;
}

/** Beside the stage, or over it where the window is narrow. */
export function Panel({ id, title, closeLabel, onClose, children }: PanelProps) {
  const panel = useRef<HTMLElement>(null);

  // On a touch screen the keyboard would cover what is to be read.
  useEffect(() => {
    const typing = matchMedia('(pointer: coarse)').matches ? null : panel.current?.querySelector('textarea');
    (typing ?? panel.current)?.focus({ preventScroll: true });
  }, []);

  return (
    <aside
      ref={panel}
      id={id}
      className="panel"
      tabIndex={-1}
      aria-labelledby={`${id}-title`}
      data-testid={`${id}-panel`}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.nativeEvent.isComposing) return;
        event.stopPropagation();
        onClose();
      }}
    >
      <div className="panel-head">
        <h2 id={`${id}-title`}>{title}</h2>
        <button
          type="button"
          className="icon-button"
          aria-label={closeLabel}
          data-testid={`${id}-close`}
          onClick={onClose}
        >
          <X aria-hidden="true" />
        </button>
      </div>
      {children}
    </aside>
  );
}
