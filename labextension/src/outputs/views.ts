/** What the views of one notebook, which have one model, have in common: whose outputs it shows. */
import type { INotebookModel } from '@jupyterlab/notebook';
import { type ISignal, Signal } from '@lumino/signaling';

import type { OutputsHere } from './here';

/** One for all of a notebook's views: two that write a job's outputs would write each line twice. */
export class Views {
  /** Another job is shown, or none, or how it stands with its cells is another. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What shows a job's outputs; null where nothing does. */
  get here(): OutputsHere | null {
    return this._here;
  }

  /** What will show a job's outputs once they are read. */
  get coming(): OutputsHere | null {
    return this._coming;
  }

  /** Show these and no others once they are read; rejects where they cannot be, and all is as before. */
  async show(here: OutputsHere): Promise<void> {
    this._coming?.dispose();
    this._coming = here;
    this._changed.emit();
    try {
      const sent = await here.read();
      if (!here.isDisposed) {
        this._set(here);
        await here.start(sent);
      }
    } catch (error) {
      // it may have been left meanwhile, perhaps for another job
      if (!here.isDisposed) {
        this._set(here === this._coming ? this._here : null);
        throw error;
      }
    }
  }

  /** Show none any more; what is shown stays. */
  leave(): void {
    this._set(null);
  }

  /** There is one more view. */
  open(): void {
    this._count += 1;
  }

  /** A view was closed; with the last one ends what is shown. */
  close(): void {
    this._count -= 1;
    if (this._count === 0) {
      this.leave();
    }
  }

  private _set(here: OutputsHere | null): void {
    const before = [this._here, this._coming];
    this._here = here;
    this._coming = null;
    before.filter(one => one !== here).forEach(one => one?.dispose());
    if (here !== null && before[0] !== here) {
      here.changed.connect(() => this._changed.emit());
    }
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _here: OutputsHere | null = null;
  private _coming: OutputsHere | null = null;
  private _count = 0;
}

const known = new WeakMap<INotebookModel, Views>();

export function viewsOf(model: INotebookModel): Views {
  const views = known.get(model) ?? new Views();
  known.set(model, views);
  return views;
}
