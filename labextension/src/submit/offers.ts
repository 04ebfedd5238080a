/** What targets can give for what is asked: each answers in its own time. */
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { IOffer, ITarget, IWishes } from '../records';
import { RequestError, asError, isAborted } from '../request';
import type { IApi } from '../tokens';

/** What is known of a target; while it is `asking`, what it said before stays. */
export interface ITargetOffers {
  readonly target: ITarget;
  readonly asking: boolean;
  readonly offers: readonly IOffer[];
  /** Why it gives none, in its own words. */
  readonly problem: string;
  /** It has answered, now or before. */
  readonly heard: boolean;
}

export class Offers implements IDisposable {
  constructor(private readonly _api: Pick<IApi, 'offers'>) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** All targets, in the order of `setTargets`. */
  get rows(): readonly ITargetOffers[] {
    return [...this._rows.values()];
  }

  /** False where a target has answered, and with other kinds of GPU than this. */
  may(target: string, kind: string): boolean {
    const row = this._rows.get(target);
    return (
      row === undefined ||
      row.asking ||
      row.offers.length === 0 ||
      row.offers.some(({ gpu_type }) => gpu_type === kind)
    );
  }

  /** Show these targets at once, and ask each. */
  ask(targets: readonly ITarget[], wishes: IWishes): void {
    this._request?.abort();
    const request = (this._request = new AbortController());
    const before = this._rows;
    this._rows = new Map(
      targets.map(target => {
        const known = before.get(target.name);
        const { offers = [], problem = '', heard = false } = known ?? {};
        return [target.name, { target, offers, problem, heard, asking: true }];
      })
    );
    this._changed.emit();
    targets.forEach(target => void this._askOne(target, wishes, request));
  }

  dispose(): void {
    this._isDisposed = true;
    this._request?.abort();
    this._request = null;
    Signal.clearData(this);
  }

  private async _askOne(
    target: ITarget,
    wishes: IWishes,
    request: AbortController
  ): Promise<void> {
    const offers: IOffer[] = [];
    const row = { target, asking: false, offers, problem: '', heard: true };
    const before = this._rows.get(target.name);
    try {
      const said = await this._api.offers(target.name, wishes, request.signal);
      row.offers = said.offers;
      row.problem = said.problems.map(({ message }) => message).join('\n');
    } catch (error) {
      if (isAborted(error)) {
        return;
      }
      if (error instanceof RequestError && error.away && before) {
        // no word of the target's: what it said before stays
        Object.assign(row, before, { asking: false });
      } else {
        row.problem = asError(error).message;
      }
    }
    if (request === this._request) {
      this._rows.set(target.name, row);
      this._changed.emit();
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _rows = new Map<string, ITargetOffers>();
  private _request: AbortController | null = null;
  private _isDisposed = false;
}
