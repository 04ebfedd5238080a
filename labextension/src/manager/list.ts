/** Jobs under a filter, kept true. */
import { type ISignal, Signal } from '@lumino/signaling';

import type { IJob, IJobFilter, IJobPage, State } from '../records';
import { asError, isAborted } from '../request';
import type { IApi, IJobChange, IJobList } from '../tokens';
import { matches, matchesButState, total, withJob } from './filter';

/** The most that the server gives out at once. */
const LARGEST = 500;
/** Milliseconds after which jobs are counted anew where news alone does not tell how many. */
const COUNT_AFTER = 500;

type Load = 'first' | 'more' | 'again';

export class JobList implements IJobList {
  constructor(
    private readonly _api: IApi,
    /** Told what this list has read. */
    private readonly _seen: (jobs: readonly IJob[], list: JobList) => void,
    private _filter: IJobFilter,
    private readonly _pageSize: number
  ) {
    void this._load('first');
  }

  get changed(): ISignal<this, void> {
    return this._changed;
  }
  get disposed(): ISignal<this, void> {
    return this._disposed;
  }
  get filter(): IJobFilter {
    return this._filter;
  }
  get jobs(): readonly IJob[] {
    return this._jobs;
  }
  get counts(): IJobPage['counts'] {
    return this._counts;
  }
  get total(): number {
    return Math.max(total(this._counts, this._filter), this._jobs.length);
  }
  get loading(): boolean {
    return this._loading;
  }
  get error(): Error | null {
    return this._error;
  }
  get complete(): boolean {
    return this._next === null && !this._loading && this._error === null;
  }
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  async more(): Promise<void> {
    if (this._next !== null && this._request === null) {
      await this._load('more');
    }
  }

  setFilter(filter: IJobFilter): void {
    this._filter = filter;
    this._loading = true;
    this._jobs = [];
    this._next = null;
    void this._load('first');
    this._changed.emit();
  }

  async refresh(): Promise<void> {
    await this._load(this._loading ? 'first' : 'again');
  }

  /** Take in what happened to a job. */
  take(change: IJobChange): void {
    if (this._request !== null) {
      this._meanwhile.push(change);
    }
    this._taken += 1;
    if (this._loading) {
      return;
    }
    this._count(change);
    if (change.before?.state !== change.job?.state) {
      // a page may have counted already what is told now
      this._countLater();
    }
    if (this._place(change)) {
      this._changed.emit();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    clearTimeout(this._counting);
    this._request?.abort();
    this._request = null;
    this._disposed.emit();
    Signal.clearData(this);
  }

  /** Put the job where it belongs now; false where nothing that is shown depends on it. */
  private _place({ id, job, before }: IJobChange): boolean {
    const here = this._jobs.find(other => other.id === id);
    if (here && job && here.revision > job.revision) {
      return false;
    }
    if (job && matches(this._filter, job)) {
      const last = this._jobs.at(-1);
      if (here || this._next === null || !last || last.id < id) {
        this._jobs = withJob(this._jobs, job);
        return true;
      }
    } else if (here) {
      this._jobs = this._jobs.filter(other => other.id !== id);
      return true;
    }
    return before?.state !== job?.state;
  }

  private _count({ change, before, job }: IJobChange): void {
    const counts = { ...this._counts };
    const add = (state: State, by: number): void => {
      counts[state] = Math.max(0, (counts[state] ?? 0) + by);
    };
    if (before && matchesButState(this._filter, before)) {
      add(before.state, -1);
    } else if (!before && change !== 'new') {
      this._countLater();
      return;
    }
    if (job && matchesButState(this._filter, job)) {
      add(job.state, 1);
    }
    this._counts = counts;
  }

  private _countLater(): void {
    clearTimeout(this._counting);
    this._counting = setTimeout(() => void this._countAnew(), COUNT_AFTER);
  }

  private async _countAnew(): Promise<void> {
    const filter = this._filter;
    const taken = this._taken;
    try {
      const { counts } = await this._api.jobs(filter, { limit: 1 });
      if (taken !== this._taken) {
        // it may be older than what was told meanwhile
        this._countLater();
      } else if (filter === this._filter && !this._isDisposed) {
        this._counts = counts;
        this._changed.emit();
      }
    } catch {
      // the next change counts again
    }
  }

  /** The first page under a new filter, one more, or what is loaded once again. */
  private async _load(what: Load): Promise<void> {
    if (this._isDisposed) {
      return;
    }
    this._request?.abort();
    const request = (this._request = new AbortController());
    this._meanwhile = [];
    try {
      const page = await this._page(what, request.signal);
      if (request !== this._request) {
        return;
      }
      this._request = null;
      this._read(page, what);
    } catch (error) {
      if (isAborted(error) || request !== this._request) {
        return;
      }
      this._request = null;
      this._error = asError(error);
      this._loading = false;
    }
    this._changed.emit();
  }

  private _read(page: IJobPage, what: Load): void {
    this._counts = page.counts;
    this._next = page.next;
    this._jobs = what === 'more' ? [...this._jobs, ...page.jobs] : page.jobs;
    this._error = null;
    this._loading = false;
    this._seen(page.jobs, this);
    // news may overtake a page: what it told stays, and what it counted is not certain
    if (this._meanwhile.length > 0) {
      this._meanwhile.forEach(change => this._place(change));
      this._meanwhile = [];
      this._countLater();
    }
  }

  private async _page(what: Load, signal: AbortSignal): Promise<IJobPage> {
    const read = (before: string | null, limit: number): Promise<IJobPage> =>
      this._api.jobs(
        this._filter,
        before === null ? { limit } : { before, limit },
        signal
      );
    if (what === 'more') {
      return read(this._next, this._pageSize);
    }
    const wanted = what === 'again' ? this._jobs.length : 0;
    const limit = Math.min(Math.max(wanted, this._pageSize), LARGEST);
    let page = await read(null, limit);
    while (page.next !== null && page.jobs.length < wanted) {
      const behind = await read(page.next, LARGEST);
      page = { ...behind, jobs: [...page.jobs, ...behind.jobs] };
    }
    return page;
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _disposed = new Signal<this, void>(this);
  private _jobs: readonly IJob[] = [];
  private _counts: IJobPage['counts'] = {};
  private _next: string | null = null;
  private _loading = true;
  private _error: Error | null = null;
  private _request: AbortController | null = null;
  private _meanwhile: IJobChange[] = [];
  private _counting: ReturnType<typeof setTimeout> | undefined;
  /** How often something was told. */
  private _taken = 0;
  private _isDisposed = false;
}
