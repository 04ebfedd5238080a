/** What is looked up beside the offers: earlier durations, and what the image has of the needs. */
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { IEnvironment, IExpected, ISubmission } from '../records';
import type { IApi } from '../tokens';

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

  /** Compare the notebook's needs with the image, unless only other things changed. */
  async compare(submission: ISubmission): Promise<void> {
    const { path, content, target, image, kernel } = submission;
    const question = JSON.stringify([target, image, kernel]);
    if (question === this._question) {
      return;
    }
    this._question = question;
    this._request?.abort();
    const request = (this._request = new AbortController());
    let found: IEnvironment | null = null;
    try {
      const body = { path, target, image, kernel };
      found = await this._api.environment(
        content ? { ...body, content } : body,
        request.signal
      );
    } catch {
      // the preview says what is wrong with it
    }
    if (request === this._request) {
      this._environment = found;
      this._changed.emit();
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
