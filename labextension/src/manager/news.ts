/** What the server announces about jobs on Jupyter's event bus. */
import type { Event } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';

import type { IJobChange } from '../tokens';

/** Schema ids, as in `jupyter_hybrid/server/events/`. */
const JOB = 'urn:jupyter-hybrid:job:v1';
const PROGRESS = 'urn:jupyter-hybrid:progress:v1';
const TARGET = 'urn:jupyter-hybrid:target:v1';

export interface INewsHandlers {
  job: (id: string, change: IJobChange['change'], revision: number) => void;
  progress: (id: string, last: number) => void;
  /** A target answers, or does not, other than before. */
  target: () => void;
}

/** Calls the handlers until it is disposed. */
export class News implements IDisposable {
  constructor(
    private readonly _events: Event.IManager,
    private readonly _handlers: INewsHandlers
  ) {
    _events.stream.connect(this._heard);
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    this._isDisposed = true;
    this._events.stream.disconnect(this._heard);
  }

  private readonly _heard = (
    _: Event.IManager,
    event: Event.Emission
  ): void => {
    const { schema_id: kind, job } = event;
    if (kind === TARGET) {
      this._handlers.target();
      return;
    }
    if (typeof job !== 'string') {
      return;
    }
    if (kind === JOB) {
      const { change, revision } = event;
      if (change === 'new' || change === 'changed' || change === 'deleted') {
        this._handlers.job(job, change, Number(revision ?? 0));
      }
    } else if (kind === PROGRESS) {
      this._handlers.progress(job, Number(event.last));
    }
  };

  private _isDisposed = false;
}
