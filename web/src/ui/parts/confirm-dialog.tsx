import { useTranslation } from 'react-i18next';
import { Dialog } from './dialog';

interface ConfirmDialogProps {
  title: string;
  text: string;
  /** What is done. */
  action: string;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before what cannot be undone. */
export function ConfirmDialog({ title, text, action, onConfirm, onClose }: ConfirmDialogProps) {
  const { t } = useTranslation();
  const confirm = () => {
    onClose();
    onConfirm();
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <p className="dialog-text">{text}</p>
      <div className="dialog-buttons">
        <button type="button" className="button" onClick={onClose}>
          {t('people.cancel')}
        </button>
        <button type="button" className="button danger" data-testid="confirm" onClick={confirm}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
