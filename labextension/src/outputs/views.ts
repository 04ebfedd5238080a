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

  /** Show these and no others; null: none any more, and what is shown stays. */
  show(here: OutputsHere | null): void {
    this._here?.dispose();
    this._here = here;
    here?.changed.connect(() => this._changed.emit());
    this._changed.emit();
  }

  /** There is one more view. */
  enter(): void {
    this._count += 1;
  }

  /** A view was closed; with the last one ends what is shown. */
  leave(): void {
    this._count -= 1;
    if (this._count === 0) {
      this.show(null);
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _here: OutputsHere | null = null;
  private _count = 0;
}

const known = new WeakMap<INotebookModel, Views>();

export function viewsOf(model: INotebookModel): Views {
  const views = known.get(model) ?? new Views();
  known.set(model, views);
  return views;
}
