/** The jobs of this user: records as last seen, news as it comes, requests that tell others. */
import type { Event, ServerConnection } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import type {
  IFetched,
  IFetchWishes,
  IJob,
  IJobDetail,
  IJobFilter,
  IRerun,
  ISubmission,
  ITarget
} from '../records';
import { UNFINISHED } from '../records';
import { Api, type ISentences, RequestError, newKey } from '../request';
import type {
  Connection,
  IApi,
  IJobChange,
  IJobsManager,
  IProgress
} from '../tokens';
import { JobEvents } from './events';
import { JobList } from './list';
import { News } from './news';
import { Readings } from './readings';
import { Repeat } from './repeat';
import { Sendings } from './sending';

/** Milliseconds between two looks while news is announced, and while it seems not to be. */
const SELDOM = 30_000;
const OFTEN = 3_000;
/** Jobs of one look: the newest, and those that have not ended. */
const NEWEST = 50;
const RUNNING = 500;

export interface IManagerOptions {
  settings: ServerConnection.ISettings;
  /** Jupyter's event bus. */
  events: Event.IManager;
  /** What is said where the server says nothing to people. */
  sentences?: ISentences;
  /** For tests. */
  api?: (answered: (error: RequestError | null) => void) => IApi;
}

interface IOccasion {
  /** Who has read it, and need not be told. */
  from?: JobList;
  /** It was announced. */
  news?: boolean;
  /** The job was not there before. */
  fresh?: boolean;
}

export class JobsManager implements IJobsManager {
  constructor(options: IManagerOptions) {
    const answered = (error: RequestError | null): void =>
      this._answered(error);
    this.api =
      options.api?.(answered) ??
      new Api(options.settings, answered, options.sentences);
    this._news = new News(options.events, {
      job: (id, change, revision) => this._announced(id, change, revision),
      progress: (id, last) => this._progress(id, last),
      target: () => this._askTargets()
    });
    document.addEventListener('visibilitychange', this._look);
    window.addEventListener('online', this._look);
  }

  readonly api: IApi;
  readonly sending = new Sendings();

  get ready(): Promise<boolean> {
    return this._ready;
  }
  get connection(): Connection {
    return this._connection;
  }
  get connectionChanged(): ISignal<this, Connection> {
    return this._connectionChanged;
  }
  get jobChanged(): ISignal<this, IJobChange> {
    return this._jobChanged;
  }
  get progressed(): ISignal<this, IProgress> {
    return this._progressed;
  }
  get targetsChanged(): ISignal<this, readonly ITarget[]> {
    return this._targetsChanged;
  }
  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** Begin to look after news that nobody announces. */
  start(): void {
    this._repeat.now();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this._look);
    window.removeEventListener('online', this._look);
    this._repeat.dispose();
    this._news.dispose();
    this._readings.dispose();
    [...this._lists, ...this._streams.keys()].forEach(one => one.dispose());
    Signal.clearData(this);
  }

  known(id: string): IJob | undefined {
    return this._known.get(id);
  }

  async job(id: string, ask?: boolean): Promise<IJobDetail> {
    try {
      const job = await this.api.job(id, ask);
      this._learn(job);
      return job;
    } catch (error) {
      if (error instanceof RequestError && error.status === 404) {
        this._forget(id);
      }
      throw error;
    }
  }

  list(filter: IJobFilter = {}, pageSize = 100): JobList {
    const seen = (jobs: readonly IJob[], from: JobList): void =>
      jobs.forEach(job => this._learn(job, { from }));
    const list = new JobList(this.api, seen, filter, pageSize);
    this._lists.add(list);
    list.disposed.connect(() => this._lists.delete(list));
    return list;
  }

  events(id: string, after = 0, outputs?: number): JobEvents {
    const stream = new JobEvents(this.api, id, after, outputs);
    this._streams.set(stream, id);
    stream.disposed.connect(() => this._streams.delete(stream));
    return stream;
  }

  targets(): Promise<ITarget[]> {
    return this._targets ?? this.refreshTargets();
  }

  refreshTargets(): Promise<ITarget[]> {
    const asked = this.api.targets();
    this._targets = asked;
    asked.then(
      targets => {
        if (this._targets === asked) {
          this._targetsChanged.emit(targets);
        }
      },
      () => {
        this._targets = null;
      }
    );
    return asked;
  }

  async submit(submission: ISubmission, key = newKey()): Promise<IJob> {
    return this._learn(await this.api.submit(submission, key), { fresh: true });
  }

  async rerun(id: string, changes: IRerun = {}, key = newKey()): Promise<IJob> {
    return this._learn(await this.api.rerun(id, changes, key), { fresh: true });
  }

  async cancel(id: string, force?: boolean): Promise<IJob> {
    return this._learn(await this.api.cancel(id, force));
  }

  async delete(id: string): Promise<void> {
    await this.api.delete(id);
    this._forget(id);
  }

  async fetch(id: string, wishes?: IFetchWishes): Promise<IFetched> {
    const fetched = await this.api.fetch(id, wishes);
    this._readings.ask(id, false);
    return fetched;
  }

  /** Take in a record; the record that is known now. Others are told of it where it is news. */
  private _learn(job: IJob, { from, news, fresh }: IOccasion = {}): IJob {
    const before = this._known.get(job.id) ?? null;
    if (before && before.revision > job.revision) {
      return before;
    }
    this._known.set(job.id, job);
    const same =
      before !== null &&
      before.revision === job.revision &&
      before.cost === job.cost;
    // what is read for the first time is no news by itself
    if (!same && (before !== null || news === true || fresh === true)) {
      const change = before === null && fresh ? 'new' : 'changed';
      this._tell({ id: job.id, change, before, job }, from);
    }
    return job;
  }

  private _forget(id: string): void {
    const before = this._known.get(id) ?? null;
    this._known.delete(id);
    this._readings.drop(id);
    this._tell({ id, change: 'deleted', before, job: null });
  }

  private _tell(change: IJobChange, from?: JobList): void {
    for (const list of this._lists) {
      if (list !== from) {
        list.take(change);
      }
    }
    this._jobChanged.emit(change);
  }

  private _announced(
    id: string,
    change: IJobChange['change'],
    revision: number
  ): void {
    this._deaf = false;
    if (change === 'deleted') {
      this._forget(id);
    } else if ((this._known.get(id)?.revision ?? -1) < revision) {
      this._readings.ask(id, change === 'new');
    }
  }

  private _askTargets(): void {
    this.refreshTargets().catch(() => {
      // told by `connection`; they are asked about again when it is back
    });
  }

  private _progress(id: string, last: number): void {
    this._deaf = false;
    for (const [stream, of] of this._streams) {
      if (of === id) {
        stream.announce(last);
      }
    }
    this._progressed.emit({ id, last });
  }

  /** Look for what no news told: the newest jobs, and those that run. */
  private async _poll(): Promise<boolean> {
    if (this._connection === 'missing') {
      return false;
    }
    if (!this._met) {
      await this.api.about();
      this._met = true;
      this._resolveReady(true);
    }
    const [newest, running] = await Promise.all([
      this.api.jobs({}, { limit: NEWEST }),
      this.api.jobs({ states: UNFINISHED }, { limit: RUNNING })
    ]);
    const first = this._seenUpTo === null;
    for (const job of [...newest.jobs, ...running.jobs].reverse()) {
      const known = this._known.get(job.id);
      this._deaf ||= !first && (known?.revision ?? -1) < job.revision;
      const fresh = !first && !known && job.id > (this._seenUpTo ?? '');
      this._learn(job, { fresh });
    }
    this._seenUpTo = newest.jobs[0]?.id ?? '';
    if (running.next === null) {
      this._missed(new Set(running.jobs.map(job => job.id)));
    }
    return false;
  }

  /** Read anew what was running and is not any more. */
  private _missed(running: ReadonlySet<string>): void {
    for (const job of this._known.values()) {
      if (!job.final && !running.has(job.id)) {
        this._readings.ask(job.id, false);
      }
    }
  }

  private _answered(error: RequestError | null): void {
    // Jupyter's own 404 gives no reason: nobody serves our paths
    if (error?.status === 404 && error.reason === null && !this._met) {
      this._connect('missing');
      this._resolveReady(false);
    } else {
      const now = error?.signedOut ? 'signedOut' : 'online';
      this._connect(error?.away ? 'offline' : now);
    }
  }

  private _connect(connection: Connection): void {
    const before = this._connection;
    if (before === connection) {
      return;
    }
    this._connection = connection;
    this._connectionChanged.emit(connection);
    const away: Connection[] = ['offline', 'signedOut'];
    if (away.includes(before) && connection === 'online') {
      this._lists.forEach(list => void list.refresh());
      this._askTargets();
      [...this._streams.keys()].forEach(stream => stream.announce());
      // the bus may take longer to come back than the server
      this._deaf = true;
      this._repeat.now();
    } else if (away.includes(connection)) {
      this._repeat.soon();
    }
  }

  private readonly _look = (): void => {
    if (!document.hidden && this._met) {
      this._repeat.now();
    }
  };

  private readonly _repeat = new Repeat({
    work: () => this._poll(),
    every: () => {
      const pause = this._deaf ? OFTEN : SELDOM;
      return this._connection === 'missing' ? null : pause;
    },
    failed: () => {
      // told by `connection`
    }
  });
  private readonly _news: News;
  private readonly _known = new Map<string, IJob>();
  private readonly _lists = new Set<JobList>();
  private readonly _streams = new Map<JobEvents, string>();
  private readonly _readings = new Readings({
    read: id => this.api.job(id),
    took: (job, fresh) => this._learn(job, { fresh, news: true }),
    gone: id => this._forget(id)
  });
  private readonly _connectionChanged = new Signal<this, Connection>(this);
  private readonly _jobChanged = new Signal<this, IJobChange>(this);
  private readonly _progressed = new Signal<this, IProgress>(this);
  private readonly _targetsChanged = new Signal<this, readonly ITarget[]>(this);
  private _connection: Connection = 'connecting';
  private _targets: Promise<ITarget[]> | null = null;
  /** `about` was answered. */
  private _met = false;
  /** The newest job at the last look; null before the first one. */
  private _seenUpTo: string | null = null;
  /** A look found what should have been announced. */
  private _deaf = false;
  private _isDisposed = false;
  private _resolveReady: (here: boolean) => void = () => {
    // replaced at once
  };
  private readonly _ready = new Promise<boolean>(resolve => {
    this._resolveReady = resolve;
  });
}
