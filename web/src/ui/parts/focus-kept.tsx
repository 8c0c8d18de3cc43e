import type { ComponentProps } from 'react';
import { useFocusKept } from '../use-focus';

/** Something that goes by itself, and leaves the focus to what is around it. */
export function FocusKept(props: ComponentProps<'div'>) {
  const ref = useFocusKept<HTMLDivElement>();
  return <div {...props} ref={ref} />;
}
