/**
 * Work that is done again and again, never twice at once, with longer pauses after failures.
 *
 * Not by lumino's `Poll`: that drops a `refresh` during another one, so that news which comes while
 * the answer is under way would not be read, and begins a second call beside one by its timer.
 */
import type { IDisposable } from '@lumino/disposable';

export interface IRepeatOptions {
  /** Resolves with true to be called again at once. */
  work: () => Promise<boolean | undefined>;
  /** Milliseconds between two calls; null: only when asked for. */
  every: () => number | null;
  /** Told of each failure; the work is tried again. */
  failed: (error: unknown) => void;
  /** Milliseconds before the first other attempt; doubled up to a minute. */
  retry?: number;
}

/** The longest pause between two attempts, in milliseconds. */
const LONGEST = 60_000;

export class Repeat implements IDisposable {
  constructor(private readonly _options: IRepeatOptions) {}

  get isDisposed(): boolean {
    return this._disposed;
  }

  /** Call at once; where a call is under way, once more after it. */
  now(): void {
    if (this._disposed) {
      return;
    }
    this._asked += 1;
    if (!this._working) {
      clearTimeout(this._timer);
      void this._work();
    }
  }

  /** Something failed elsewhere: do not wait for the next turn to see whether it is over. */
  soon(): void {
    if (!this._disposed && !this._working && this._failures === 0) {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this.now(), this._retry);
    }
  }

  dispose(): void {
    this._disposed = true;
    clearTimeout(this._timer);
  }

  private async _work(): Promise<void> {
    this._working = true;
    const asked = this._asked;
    let again = false;
    try {
      again = (await this._options.work()) === true;
      this._failures = 0;
    } catch (error) {
      this._failures += 1;
      if (!this._disposed) {
        this._options.failed(error);
      }
    }
    this._working = false;
    if (this._disposed) {
      return;
    }
    // news that came during a failed attempt is no reason to try without a pause
    if (this._failures === 0 && (again || this._asked !== asked)) {
      void this._work();
      return;
    }
    const pause = this._pause();
    if (pause !== null) {
      this._timer = setTimeout(() => this.now(), pause);
    }
  }

  private _pause(): number | null {
    if (this._failures === 0) {
      return this._options.every();
    }
    const pause = this._retry * 2 ** (this._failures - 1);
    // not all browsers at the same moment after a server's restart
    return Math.min(pause, LONGEST) * (0.75 + Math.random() / 2);
  }

  private get _retry(): number {
    return this._options.retry ?? 1000;
  }

  private _working = false;
  /** How often it was asked for. */
  private _asked = 0;
  private _failures = 0;
  private _disposed = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
