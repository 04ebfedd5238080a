/** A job's events, live. */
import { type ISignal, Signal } from '@lumino/signaling';

import { RequestError, asError } from '../request';
import type { IJobEvent } from '../records';
import type { IApi, IJobEvents } from '../tokens';
import { Repeat } from './repeat';

/** Milliseconds between two looks where no news is announced. */
const EVERY = 5000;
/** Events of one answer for who draws what they say. */
const FEW = 300;

export class JobEvents implements IJobEvents {
  constructor(
    private readonly _api: IApi,
    private readonly _id: string,
    private _last: number,
    private readonly _outputs?: number
  ) {
    // whoever asked connects to `arrived` first
    queueMicrotask(() => this._repeat.now());
  }

  get arrived(): ISignal<this, readonly IJobEvent[]> {
    return this._arrived;
  }
  get changed(): ISignal<this, void> {
    return this._changed;
  }
  get disposed(): ISignal<this, void> {
    return this._disposed;
  }
  get last(): number {
    return this._last;
  }
  get ended(): boolean {
    return this._ended;
  }
  get error(): Error | null {
    return this._error;
  }
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The job has events up to this number; without one: it may have. */
  announce(last = Infinity): void {
    if (last > this._last && !this._ended) {
      this._repeat.now();
    }
  }

  dispose(): void {
    if (this.isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._repeat.dispose();
    this._disposed.emit();
    Signal.clearData(this);
  }

  private async _read(): Promise<boolean> {
    const page = await this._api.events(this._id, this._last, {
      outputs: this._outputs,
      // who draws them does so now and then, and not all at once
      ...(this._outputs === undefined ? {} : { limit: FEW })
    });
    if (this.isDisposed) {
      return false;
    }
    const fresh = page.events.filter(event => event.seq > this._last);
    this._last = Math.max(this._last, page.last);
    if (fresh.length > 0) {
      this._arrived.emit(fresh);
    }
    this._set(page.ended, null);
    return page.more;
  }

  private _failed(error: unknown): void {
    // a job that was deleted meanwhile says no more
    const gone = error instanceof RequestError && error.status === 404;
    this._set(gone, asError(error));
  }

  private _set(ended: boolean, error: Error | null): void {
    const other = ended !== this._ended || error !== this._error;
    this._ended = ended;
    this._error = error;
    if (ended) {
      this._repeat.dispose();
    }
    if (other) {
      this._changed.emit();
    }
  }

  private readonly _arrived = new Signal<this, readonly IJobEvent[]>(this);
  private readonly _changed = new Signal<this, void>(this);
  private readonly _disposed = new Signal<this, void>(this);
  private _isDisposed = false;
  private _ended = false;
  private _error: Error | null = null;
  private readonly _repeat = new Repeat({
    work: () => this._read(),
    every: () => EVERY,
    failed: error => this._failed(error)
  });
}
