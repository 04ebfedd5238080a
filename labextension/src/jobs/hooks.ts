/** What React components of ours hold on to. */
import type { ISignal } from '@lumino/signaling';
import { useEffect, useReducer, useRef, useState } from 'react';

import { serverNow } from '../clock';
import type { ITarget } from '../records';
import type { Connection, IJobsManager } from '../tokens';

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

/** How often the server has come back: what it could not be asked may be asked again. */
export function useReturns(manager: IJobsManager): number {
  const [times, setTimes] = useState(0);
  useEffect(() => {
    let before = manager.connection;
    const changed = (_: IJobsManager, now: Connection): void => {
      if (now === 'online' && before !== 'connecting') {
        setTimes(times => times + 1);
      }
      before = now;
    };
    manager.connectionChanged.connect(changed);
    return () => void manager.connectionChanged.disconnect(changed);
  }, [manager]);
  return times;
}

/** The names of the targets, also of those that are configured later; none until they are known. */
export function useTargets(manager: IJobsManager): readonly string[] {
  const [targets, setTargets] = useState<readonly string[]>([]);
  useEffect(() => {
    const changed = (_: IJobsManager, now: readonly ITarget[]): void =>
      setTargets(now.map(({ name }) => name));
    let wanted = true;
    manager.targets().then(
      found => {
        if (wanted) {
          changed(manager, found);
        }
      },
      () => {
        // the list itself tells that the server does not answer
      }
    );
    manager.targetsChanged.connect(changed);
    return () => {
      wanted = false;
      manager.targetsChanged.disconnect(changed);
    };
  }, [manager]);
  return targets;
}

/** Seconds since the epoch by the server's clock, once a second while something counts. */
export function useNow(counting: boolean): number {
  const [time, setTime] = useState(serverNow);
  useEffect(() => {
    setTime(serverNow());
    if (!counting) {
      return;
    }
    const timer = setInterval(() => setTime(serverNow()), 1000);
    return () => clearInterval(timer);
  }, [counting]);
  return time;
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

/** Text that somebody types, asked for when no key has come for some milliseconds. */
export function useTyped(
  asked: string,
  ask: (text: string) => void,
  milliseconds: number
): [string, (text: string) => void] {
  const [typed, setTyped] = useState(asked);
  const settled = useSettled(typed, milliseconds);
  /** What is asked for, as far as this field knows. */
  const own = useRef(asked);
  useEffect(() => {
    // taken away from outside; what was asked for here may be older than the last key
    if (asked !== own.current) {
      own.current = asked;
      setTyped(asked);
    }
  }, [asked]);
  useEffect(() => {
    if (settled !== own.current) {
      own.current = settled;
      ask(settled);
    }
    // whom to ask is another function each time
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [settled]);
  return [typed, setTyped];
}
