/** What React components of ours hold on to. */
import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useState } from 'react';

/** Draw anew when the signal is emitted, as often as the screen is drawn and not more. */
export function useSignal<S, A>(signal: ISignal<S, A>): void {
  const [, draw] = useReducer((times: number) => times + 1, 0);
  useEffect(() => {
    let frame = 0;
    const changed = (): void => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw();
      });
    };
    signal.connect(changed);
    // it may have been emitted between the first drawing and now
    changed();
    return () => {
      cancelAnimationFrame(frame);
      signal.disconnect(changed);
    };
  }, [signal]);
}

/** Seconds since the epoch, once a second while something counts. */
export function useNow(counting: boolean): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    setNow(Date.now() / 1000);
    if (!counting) {
      return;
    }
    const timer = setInterval(() => setNow(Date.now() / 1000), 1000);
    return () => clearInterval(timer);
  }, [counting]);
  return now;
}

/** The value as it was when it had not changed for some milliseconds. */
export function useSettled<T>(value: T, milliseconds: number): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
