/** Submits that are under way. */
import { type ISignal, Signal } from '@lumino/signaling';

import type { ISending, ISendings } from '../tokens';

export class Sendings implements ISendings {
  get items(): readonly ISending[] {
    return this._items;
  }
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  async watch<T>(
    what: ISending,
    send: (tell: (trouble: string) => void) => Promise<T>
  ): Promise<T> {
    // an object of its own: the same may be sent twice
    let item = { ...what };
    this._set([item, ...this._items]);
    const tell = (trouble: string): void => {
      const before = item;
      item = { ...what, trouble };
      this._set(this._items.map(other => (other === before ? item : other)));
    };
    try {
      return await send(tell);
    } finally {
      this._set(this._items.filter(other => other !== item));
    }
  }

  private _set(items: readonly ISending[]): void {
    this._items = items;
    this._changed.emit();
  }

  private _items: readonly ISending[] = [];
  private readonly _changed = new Signal<this, void>(this);
}
