import { type RefObject, useEffect, useLayoutEffect, useRef } from 'react';

/** For the heading of a page: the page before is gone and the focus with it, so keyboards and screen readers go on
 *  here. Another `page` is another one, except to who is at one of its controls, which stays. */
export function useFocusedHeading(page: string): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above.
  useEffect(() => {
    const atControl = heading.current?.closest('main')?.querySelector(':focus');
    if (!atControl) heading.current?.focus({ preventScroll: true });
  }, [page]);
  return heading;
}

/** For what comes and goes by itself: when it goes with the focus in it, the focus goes to the panel that it is in, or
 *  the page's `main`. */
export function useFocusKept<T extends HTMLElement>(): RefObject<T | null> {
  const ref = useRef<T>(null);
  useLayoutEffect(() => {
    const element = ref.current;
    const around = element?.parentElement?.closest<HTMLElement>('aside, main');
    return () => {
      if (element?.contains(document.activeElement)) around?.focus({ preventScroll: true });
    };
  }, []);
  return ref;
}
