/** What the parts of the extension, and other extensions, may ask of one another. */
import { Token } from '@lumino/coreutils';
import type { IDisposable, IObservableDisposable } from '@lumino/disposable';
import type { ISignal } from '@lumino/signaling';

import type {
  IAbout,
  IEnvironment,
  IEventPage,
  IExpected,
  IFetched,
  IFetchWishes,
  IInspection,
  IJob,
  IJobDetail,
  IJobEvent,
  IJobFilter,
  IJobPage,
  ILogPage,
  ILogPart,
  INotebookReference,
  IOffers,
  IOutputNotebook,
  IPreview,
  IRerun,
  IResults,
  ISubmission,
  ITarget,
  IWishes
} from './records';
import type { PartialJSONObject } from '@lumino/coreutils';

export type Json = PartialJSONObject;

/** How it stands with the server: `missing` where it has no server part of ours. */
export type Connection =
  'connecting' | 'online' | 'offline' | 'signedOut' | 'missing';

/** A job's record is another one than before. */
export interface IJobChange {
  readonly id: string;
  readonly change: 'new' | 'changed' | 'deleted';
  /** As it was when last seen here; null where it was not. */
  readonly before: IJob | null;
  /** As it is; null where it was deleted. */
  readonly job: IJob | null;
}

/** A job printed, showed or finished something. */
export interface IProgress {
  readonly id: string;
  /** The number of its newest event. */
  readonly last: number;
}

/** The requests, one method each. All reject with `RequestError` (see `request.ts`). */
export interface IApi {
  about(): Promise<IAbout>;
  targets(): Promise<ITarget[]>;
  /** What a target can give. One target at a time, so that no slow one delays another. */
  offers(
    target: string,
    wishes?: IWishes,
    signal?: AbortSignal
  ): Promise<IOffers>;
  /** How long the notebook ran before, by target. */
  durations(path: string): Promise<IExpected[]>;
  inspect(notebook: INotebookReference): Promise<IInspection>;
  preview(submission: ISubmission, signal?: AbortSignal): Promise<IPreview>;
  /** What the image has of what the notebook needs; null for a job in no image. To `resolve` the
   * versions of what would be added takes longer. */
  environment(
    submission: ISubmission,
    resolve: boolean,
    signal?: AbortSignal
  ): Promise<IEnvironment | null>;
  /** The same `key` again gives the same job, not another one. */
  submit(submission: ISubmission, key: string): Promise<IJob>;
  rerun(id: string, changes: IRerun, key: string): Promise<IJob>;
  /** The notebook that a job executed, with the parameters that it had. */
  inspectJob(id: string): Promise<IInspection>;
  previewRerun(
    id: string,
    changes: IRerun,
    signal?: AbortSignal
  ): Promise<IPreview>;
  jobs(
    filter: IJobFilter,
    page?: { before?: string; offset?: number; limit?: number },
    signal?: AbortSignal
  ): Promise<IJobPage>;
  job(id: string, ask?: boolean): Promise<IJobDetail>;
  cancel(id: string, force?: boolean): Promise<IJob>;
  delete(id: string): Promise<void>;
  fetch(id: string, wishes?: IFetchWishes): Promise<IFetched>;
  /** With `outputs`, what a cell shows is shortened to about so many characters. */
  events(
    id: string,
    after: number,
    more?: { limit?: number; outputs?: number }
  ): Promise<IEventPage>;
  /** What is behind an offset, or the last bytes, all or `before` there. */
  log(id: string, of: 'cells' | 'runner', part: ILogPart): Promise<ILogPage>;
  notebook(id: string, outputs?: number): Promise<IOutputNotebook>;
  /** Where a browser downloads the executed notebook. */
  notebookUrl(id: string): string;
  /** The same for what a job executed, in its own image or in another one. */
  environmentOf(
    id: string,
    wishes?: { target?: string; image?: string; resolve?: boolean },
    signal?: AbortSignal
  ): Promise<IEnvironment | null>;
  sent(id: string): Promise<{ path: string; size: number }[]>;
  results(id: string): Promise<IResults>;
  /** Where a browser downloads a file of the results. */
  resultUrl(id: string, path: string): string;
  preferences(path: string | null): Promise<Json | null>;
  setPreferences(path: string | null, preferences: Json | null): Promise<void>;
}

/** Jobs under a filter, newest first, those of them that were asked for, kept true while it lives. */
export interface IJobList extends IObservableDisposable {
  /** Something below is another than before. */
  readonly changed: ISignal<IJobList, void>;
  readonly filter: IJobFilter;
  /** By their place in the list; undefined where not loaded. Another array after each change. */
  readonly rows: readonly (IJob | undefined)[];
  /** Loaded so far. Another array after each change. */
  readonly jobs: readonly IJob[];
  /** By state, under the other filters than `states`. */
  readonly counts: IJobPage['counts'];
  /** How many there are under the whole filter, loaded or not. */
  readonly total: number;
  /** True until the first page under this filter is there. */
  readonly loading: boolean;
  /** Why the last attempt failed; it is tried again, and what was loaded before stays. */
  readonly error: Error | null;
  /** All are loaded. */
  readonly complete: boolean;
  /** Load what is not loaded yet of the rows `first` to `last`, `last` excluded. */
  need(first: number, last: number): void;
  setFilter(filter: IJobFilter): void;
  /** Read once more what was needed last; the rest is read when it is needed. */
  refresh(): Promise<void>;
}

/** A job's events from a number on, live, resumed where they stopped. */
export interface IJobEvents extends IObservableDisposable {
  /** Events in their order, none twice, none left out. */
  readonly arrived: ISignal<IJobEvents, readonly IJobEvent[]>;
  /** `ended` or `error` is another than before. */
  readonly changed: ISignal<IJobEvents, void>;
  /** The number of the last event that was told. */
  readonly last: number;
  /** No more will come. */
  readonly ended: boolean;
  /** Why the last attempt failed; it is tried again. */
  readonly error: Error | null;
}

/** A submit that nobody has answered yet: there is no job. */
export interface ISending {
  readonly name: string;
  readonly target: string;
  /** Why it takes longer, in a sentence. */
  readonly trouble?: string;
}

export interface ISendings {
  /** The last one first. */
  readonly items: readonly ISending[];
  readonly changed: ISignal<ISendings, void>;
  /** Have it among the items while `send` works, which may tell why it takes longer. */
  watch<T>(
    what: ISending,
    send: (tell: (trouble: string) => void) => Promise<T>
  ): Promise<T>;
}

/** The jobs of this user, as the server knows them. */
export interface IJobsManager extends IDisposable {
  /** Requests as they are; what they answer about jobs is not told to others. */
  readonly api: IApi;
  /** True when `about` has been answered; rejects never. */
  readonly ready: Promise<boolean>;
  readonly connection: Connection;
  readonly connectionChanged: ISignal<IJobsManager, Connection>;
  /** Every change of every job, whoever made it. */
  readonly jobChanged: ISignal<IJobsManager, IJobChange>;
  /** Jobs have new events. */
  readonly progressed: ISignal<IJobsManager, IProgress>;
  /** Targets were read anew, as where one does not answer or does again. */
  readonly targetsChanged: ISignal<IJobsManager, readonly ITarget[]>;
  readonly sending: ISendings;
  /** The record of a job as last seen; undefined where it was not seen yet. */
  known(id: string): IJob | undefined;
  /** The job as recorded; with `ask` after asking its place. Tells others what it learns. */
  job(id: string, ask?: boolean): Promise<IJobDetail>;
  list(filter?: IJobFilter, pageSize?: number): IJobList;
  events(id: string, after?: number, outputs?: number): IJobEvents;
  /** Targets as configured; asked for once, and again by `refreshTargets`. */
  targets(): Promise<ITarget[]>;
  refreshTargets(): Promise<ITarget[]>;
  submit(submission: ISubmission, key?: string): Promise<IJob>;
  rerun(id: string, changes?: IRerun, key?: string): Promise<IJob>;
  cancel(id: string, force?: boolean): Promise<IJob>;
  delete(id: string): Promise<void>;
  fetch(id: string, wishes?: IFetchWishes): Promise<IFetched>;
}

export const IJobsManager = new Token<IJobsManager>(
  'jupyter-hybrid:IJobsManager',
  'The jobs of this user on all targets, kept up to date.'
);
