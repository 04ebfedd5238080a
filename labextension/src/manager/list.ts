/** Jobs under a filter, kept true. */
import { type ISignal, Signal } from '@lumino/signaling';

import type { IJob, IJobFilter, IJobPage, State } from '../records';
import { asError, isAborted } from '../request';
import type { IApi, IJobChange, IJobList } from '../tokens';
import { matches, matchesButState, total } from './filter';
import { placeOf, type Rows, unknown, withPage } from './rows';

/** Milliseconds after which jobs are counted anew where news alone does not tell how many. */
const COUNT_AFTER = 500;
/** Milliseconds before another attempt of what failed, and the most that they are doubled to. */
const AGAIN_AFTER = 5000;
const LONGEST = 60_000;

type Load = 'first' | 'needed' | 'again';

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
  get rows(): Rows {
    return this._rows;
  }
  get jobs(): readonly IJob[] {
    this._jobs ??= this._rows.filter(job => job !== undefined);
    return this._jobs;
  }
  get counts(): IJobPage['counts'] {
    return this._counts;
  }
  get total(): number {
    const rows = this._rows.length;
    return this._ended
      ? rows
      : Math.max(total(this._counts, this._filter), rows);
  }
  get loading(): boolean {
    return this._loading;
  }
  get error(): Error | null {
    return this._error;
  }
  get complete(): boolean {
    return (
      this._ended &&
      this._error === null &&
      unknown(this._rows, 0, this._rows.length) === null
    );
  }
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  need(first: number, last: number): void {
    this._wanted = { first, last };
    const offset = this._missing();
    // a page that nobody looks at any more makes room for one that somebody does
    const busy =
      this._request !== null && (this._again || this._offset === offset);
    if (offset !== null && !busy && !this._loading && this._error === null) {
      void this._load('needed');
    }
  }

  setFilter(filter: IJobFilter): void {
    this._filter = filter;
    this._loading = true;
    this._set([], false);
    this._wanted = { first: 0, last: 0 };
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
    clearTimeout(this._trying);
    this._request?.abort();
    this._request = null;
    this._disposed.emit();
    Signal.clearData(this);
  }

  /** Put the job where it belongs now; false where nothing that is shown depends on it. */
  private _place({ change, id, job, before }: IJobChange): boolean {
    const { at, here, certain } = placeOf(this._rows, id, this._ended);
    if (here && job && here.revision > job.revision) {
      return false;
    }
    const wanted = job !== null && matches(this._filter, job);
    if (here || (wanted && certain)) {
      this._put(at, here ? 1 : 0, wanted ? [job] : []);
      return true;
    }
    // among those that are not loaded: what is behind them comes nearer, or goes further away
    const was = before !== null && matches(this._filter, before);
    const told = before !== null || change === 'new';
    if (told && at < this._rows.length && was !== wanted) {
      this._put(
        wanted ? at : at - 1,
        wanted ? 0 : 1,
        wanted ? [undefined] : []
      );
    }
    return before?.state !== job?.state;
  }

  private _put(at: number, gone: number, come: Rows): void {
    const rows = [...this._rows];
    rows.splice(at, gone, ...come);
    this._set(rows, this._ended);
  }

  private _set(rows: Rows, ended: boolean): void {
    this._rows = rows;
    this._jobs = null;
    this._ended = ended;
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
        this._compare();
        this._changed.emit();
      }
    } catch {
      // the next change counts again
    }
  }

  /** Others came or went where nobody looked: what is behind that is read anew. */
  private _compare(): void {
    const rows = this._rows;
    if (this._ended && total(this._counts, this._filter) !== rows.length) {
      const at = unknown(rows, 0, rows.length);
      this._set(rows.slice(0, at ?? rows.length), false);
    }
  }

  /** The first page under a new filter, one that is needed, or one once again. */
  private async _load(what: Load): Promise<void> {
    if (this._isDisposed) {
      return;
    }
    clearTimeout(this._trying);
    this._request?.abort();
    const request = (this._request = new AbortController());
    this._meanwhile = [];
    const offset = (this._offset = this._begin(what));
    this._again = what === 'again';
    try {
      const page = await this._api.jobs(
        this._filter,
        { limit: this._pageSize, ...(offset > 0 ? { offset } : {}) },
        request.signal
      );
      if (request !== this._request) {
        return;
      }
      this._request = null;
      this._read(page, what, offset);
    } catch (error) {
      if (isAborted(error) || request !== this._request) {
        return;
      }
      this._request = null;
      this._error = asError(error);
      this._loading = false;
      this._loadLater(what);
    }
    this._changed.emit();
    // what was needed may be on two pages
    this.need(this._wanted.first, this._wanted.last);
  }

  /** What failed is tried again while nobody asks for anything else. */
  private _loadLater(what: Load): void {
    this._trying = setTimeout(() => void this._load(what), this._pause);
    this._pause = Math.min(2 * this._pause, LONGEST);
  }

  private _read(page: IJobPage, what: Load, offset: number): void {
    this._counts = page.counts;
    const known = what === 'needed' ? this._rows : [];
    const last = page.next === null;
    const rows = withPage(known, offset, page.jobs, last);
    this._set(rows, last || (this._ended && rows.length === known.length));
    this._error = null;
    this._pause = AGAIN_AFTER;
    this._loading = false;
    this._seen(page.jobs, this);
    // news may overtake a page: what it told stays, and what it counted is not certain
    if (this._meanwhile.length > 0) {
      this._meanwhile.forEach(change => this._place(change));
      this._meanwhile = [];
      this._countLater();
    }
  }

  /** Where the page begins that is to be read. */
  private _begin(what: Load): number {
    if (what === 'first') {
      return 0;
    }
    const first = what === 'needed' ? this._missing() : null;
    return first ?? this._pageOf(this._wanted.first);
  }

  /** Where the page begins that has the first row that is needed and not loaded. */
  private _missing(): number | null {
    const { first, last } = this._wanted;
    const at = unknown(this._rows, first, Math.min(last, this.total));
    return at === null ? null : this._pageOf(at);
  }

  private _pageOf(row: number): number {
    return row - (row % this._pageSize);
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _disposed = new Signal<this, void>(this);
  private _rows: Rows = [];
  /** Those of the rows that are loaded, once somebody asked. */
  private _jobs: readonly IJob[] | null = null;
  /** The last row is the last job. */
  private _ended = false;
  /** What somebody looks at. */
  private _wanted = { first: 0, last: 0 };
  private _counts: IJobPage['counts'] = {};
  private _loading = true;
  private _error: Error | null = null;
  private _request: AbortController | null = null;
  /** What is being read is what was read before. */
  private _again = false;
  /** Where the page begins that is being read. */
  private _offset = 0;
  private _meanwhile: IJobChange[] = [];
  private _counting: ReturnType<typeof setTimeout> | undefined;
  private _trying: ReturnType<typeof setTimeout> | undefined;
  private _pause = AGAIN_AFTER;
  /** How often something was told. */
  private _taken = 0;
  private _isDisposed = false;
}
