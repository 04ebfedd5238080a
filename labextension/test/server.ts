/** A server of ours in memory, that answers as `openapi.yaml` says, and announces. */
import type { Event } from '@jupyterlab/services';
import { type IStream, Stream } from '@lumino/signaling';
import { vi } from 'vitest';

import { matches, matchesButState } from '../src/manager/filter';
import { JobsManager } from '../src/manager';
import { RequestError } from '../src/request';
import type { IJob, IJobEvent, IJobPage, ITarget } from '../src/records';
import type { IApi } from '../src/tokens';

export class FakeServer {
  /** By id. */
  readonly jobs = new Map<string, IJob>();
  readonly events = new Map<string, IJobEvent[]>();
  targets: ITarget[] = [];
  /** Requests so far, as `jobs`, `job a`. */
  readonly asked: string[] = [];
  away = false;
  private _answered: (error: RequestError | null) => void = () => undefined;

  readonly bus: Stream<Event.IManager, Event.Emission>;
  readonly manager: JobsManager;

  constructor(api: Partial<IApi> = {}) {
    const events = {} as { stream: IStream<Event.IManager, Event.Emission> };
    this.bus = new Stream(events as Event.IManager);
    events.stream = this.bus;
    this.manager = new JobsManager({
      settings: {} as never,
      events: events as Event.IManager,
      api: answered => {
        this._answered = answered;
        return { ...this._api(), ...api } as IApi;
      }
    });
  }

  put(job: IJob): IJob {
    this.jobs.set(job.id, job);
    return job;
  }

  announce(id: string, change: string): void {
    const job = this.jobs.get(id);
    const revision = job?.revision ?? 0;
    this.bus.emit({
      schema_id: 'urn:jupyter-hybrid:job:v1',
      job: id,
      change,
      revision
    });
  }

  progress(id: string, last: number): void {
    const schema_id = 'urn:jupyter-hybrid:progress:v1';
    this.bus.emit({ schema_id, job: id, last });
  }

  private _answer<T>(words: string, value: () => T): Promise<T> {
    this.asked.push(words);
    if (this.away) {
      const error = new RequestError('Failed to fetch', 0);
      this._answered(error);
      return Promise.reject(error);
    }
    try {
      const answer = value();
      this._answered(null);
      return Promise.resolve(answer);
    } catch (thrown) {
      const error = thrown as RequestError;
      this._answered(error);
      return Promise.reject(error);
    }
  }

  private _one(id: string): IJob {
    const job = this.jobs.get(id);
    if (!job) {
      throw new RequestError(`there is no job ${id}`, 404, 'UnknownJob');
    }
    return job;
  }

  private _api(): Partial<IApi> {
    const commands = { cli: null, magic: null, python: null };
    return {
      about: () =>
        this._answer('about', () => ({
          version: '1',
          contents: { files: true },
          events: { job: '', progress: '', target: '' }
        })),
      targets: () => this._answer('targets', () => this.targets),
      jobs: (filter, { before, offset = 0, limit = 50 } = {}) =>
        this._answer('jobs', (): IJobPage => {
          const all = [...this.jobs.values()].sort((a, b) =>
            a.id < b.id ? 1 : -1
          );
          const counts: IJobPage['counts'] = {};
          for (const job of all.filter(one => matchesButState(filter, one))) {
            counts[job.state] = (counts[job.state] ?? 0) + 1;
          }
          const found = all.filter(
            one => matches(filter, one) && (!before || one.id < before)
          );
          const jobs = found.slice(offset, offset + limit);
          const more = found.length > offset + limit;
          const next = more ? jobs[limit - 1].id : null;
          return { jobs, next, counts };
        }),
      job: id =>
        this._answer(`job ${id}`, () => ({
          ...this._one(id),
          commands,
          env: {}
        })),
      delete: id => this._answer('delete', () => void this.jobs.delete(id)),
      cancel: id =>
        this._answer('cancel', () => {
          const job = this._one(id);
          const revision = job.revision + 1;
          return this.put({ ...job, wanted: 'CANCELLED', revision });
        }),
      events: (id, after, { limit = 1000 } = {}) =>
        this._answer(`events ${id} ${after}`, () => {
          const job = this._one(id);
          const all = (this.events.get(id) ?? []).filter(e => e.seq > after);
          const events = all.slice(0, limit);
          const more = all.length > limit;
          const last = events.at(-1)?.seq ?? after;
          return { events, last, more, ended: job.final && !more };
        })
    };
  }
}

/** Let all promises that can be kept, be kept. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1);
}
