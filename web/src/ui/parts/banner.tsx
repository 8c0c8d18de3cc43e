import type { ReactNode } from 'react';
import { useFocusKept } from '../use-focus';

interface BannerProps {
  testId: string;
  /** `alert` unless a wrapper announces it. */
  role?: 'alert' | undefined;
  children: ReactNode;
}

/** What lasts and concerns one at once, at the top of the meeting. */
export function Banner({ testId, role, children }: BannerProps) {
  const ref = useFocusKept<HTMLDivElement>();
  return (
    <div ref={ref} className="banner" role={role} data-testid={testId}>
      {children}
    </div>
  );
}
