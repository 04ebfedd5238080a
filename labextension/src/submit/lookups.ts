/** What is looked up beside the offers: earlier durations, and what the image has of the needs. */
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { IEnvironment, IExpected } from '../records';
import type { IApi } from '../tokens';
import type { IDraft } from './draft';

export class Lookups implements IDisposable {
  constructor(private readonly _api: IApi) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }
  get isDisposed(): boolean {
    return this._isDisposed;
  }
  /** By target. */
  get durations(): ReadonlyMap<string, IExpected> {
    return this._durations;
  }
  /** Null where the job runs in no image, and until it is known. */
  get environment(): IEnvironment | null {
    return this._environment;
  }

  /** Ask how long the notebook ran before. */
  async askDurations(path: string): Promise<void> {
    try {
      const found = await this._api.durations(path);
      this._durations = new Map(found.map(one => [one.target, one]));
      this._changed.emit();
    } catch {
      // it is not known then: no column
    }
  }

  /** Compare the notebook's needs with the image, unless only other choices changed. */
  async compare(
    { target, image, kernel }: IDraft,
    ask: (resolve: boolean, signal: AbortSignal) => Promise<IEnvironment | null>
  ): Promise<void> {
    const question = JSON.stringify([target, image, kernel]);
    if (question === this._question) {
      return;
    }
    this._question = question;
    this._request?.abort();
    const request = (this._request = new AbortController());
    const tell = (found: IEnvironment | null): void => {
      if (request === this._request) {
        this._environment = found;
        this._changed.emit();
      }
    };
    let found: IEnvironment | null = null;
    try {
      found = await ask(false, request.signal);
      tell(found);
      if (request === this._request && found && adds(found)) {
        tell(await ask(true, request.signal));
      }
    } catch {
      // the preview says what is wrong with it; the same is asked once more the next time
      this._question = request === this._request ? '' : this._question;
      tell(found);
    }
  }

  dispose(): void {
    this._isDisposed = true;
    this._request?.abort();
    this._request = null;
    Signal.clearData(this);
  }

  private readonly _changed = new Signal<this, void>(this);
  private _durations: ReadonlyMap<string, IExpected> = new Map();
  private _environment: IEnvironment | null = null;
  private _question = '';
  private _request: AbortController | null = null;
  private _isDisposed = false;
}

/** True where something would be added, of which the versions are to be found out. */
function adds({ known, rows }: IEnvironment): boolean {
  const has = (kind: string): boolean => rows.some(row => row.kind === kind);
  return known && has('layer') && !has('conflict');
}
