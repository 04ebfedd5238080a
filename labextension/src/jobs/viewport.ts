/** What of a long list is seen, for React. */
import {
  type RefObject,
  useCallback,
  useRef,
  useSyncExternalStore
} from 'react';

import type { IViewport } from './windowing';

/** Milliseconds without a scroll after which the list is at rest. */
const REST = 100;

/**
 * Where the scroller is and how high it is. What a scroll brings in sight is drawn in the same
 * frame: a state that React draws when it comes to it would show nothing there until the next one.
 */
export function useViewport(
  scroller: RefObject<HTMLElement>,
  row: number
): IViewport {
  const view = useRef<IViewport>({ top: 0, height: 600, row });
  const subscribe = useCallback(
    (changed: () => void) => {
      const node = scroller.current;
      if (node === null) {
        return () => undefined;
      }
      return watch(node, view.current, now => {
        view.current = now;
        changed();
      });
    },
    [scroller]
  );
  return useSyncExternalStore(subscribe, () => view.current);
}

/** Tell what is seen when that is something else than before; call the answer to end it. */
export function watch(
  node: HTMLElement,
  before: IViewport,
  tell: (now: IViewport) => void
): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let seen = before;
  const look = (): void => {
    const { scrollTop: top, clientHeight: height } = node;
    const far = Math.abs(top - seen.top) > height;
    clearTimeout(timer);
    if (far) {
      timer = setTimeout(look, REST);
    }
    if (top !== seen.top || height !== seen.height || far !== !!seen.far) {
      seen = { top, height, row: before.row, far };
      tell(seen);
    }
  };
  look();
  node.addEventListener('scroll', look, { passive: true });
  const observer = new ResizeObserver(look);
  observer.observe(node);
  return () => {
    clearTimeout(timer);
    node.removeEventListener('scroll', look);
    observer.disconnect();
  };
}
