import { Switch } from '@base-ui/react/switch';

interface SwitchLineProps {
  label: string;
  checked: boolean;
  testId: string;
  onChange: (on: boolean) => void;
}

/** Something that is on or off, and what it is. */
export function SwitchLine({ label, checked, testId, onChange }: SwitchLineProps) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the switch is its control.
    <label className="switch-line">
      <span>{label}</span>
      <Switch.Root className="switch" checked={checked} data-testid={testId} onCheckedChange={onChange}>
        <Switch.Thumb className="switch-thumb" />
      </Switch.Root>
    </label>
  );
}
