/** Tells which jobs wait long: of each once, also over a reload of the page. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { shown } from '../jobs/wording';
import type { IJob } from '../records';
import type { tabState } from '../tabs';
import { counted } from '../words';
import type { INotice } from './notices';

/** More than these of one target, at the same time, are told of as one. */
const FEW = 3;
/** Jobs that are remembered: the last ones. */
const MOST = 1000;
const KEY = 'jupyter-hybrid:told-waiting';

export class Waiting {
  constructor(
    private readonly _trans: TranslationBundle,
    private readonly _memory: Pick<typeof tabState, 'fetch' | 'save'>
  ) {
    this._told = _memory.fetch(KEY).then(kept => new Set(ids(kept)));
  }

  /** What to tell of jobs that have waited this long (seconds). */
  async look(
    jobs: readonly IJob[],
    long: number,
    now: number
  ): Promise<INotice[]> {
    const told = await this._told;
    const late = jobs.filter(
      job =>
        job.state === 'PENDING' &&
        now - job.created_at >= long &&
        !told.has(job.id)
    );
    if (late.length === 0) {
      return [];
    }
    late.forEach(job => told.add(job.id));
    await this._memory.save(KEY, JSON.stringify([...told].slice(-MOST)));
    const targets = [...new Set(late.map(({ target }) => target))];
    return targets.flatMap(target => {
      const there = late.filter(job => job.target === target);
      return there.length > FEW
        ? [this._many(there, now)]
        : there.map(job => this._one(job, now));
    });
  }

  private _one(job: IJob, now: number): INotice {
    const trans = this._trans;
    const since = counted(now - job.created_at);
    const name = shown(job.name);
    const why = shown(job.reason);
    const text =
      job.reason === ''
        ? trans.__('%1 has waited for %2', name, since)
        : trans.__('%1 has waited for %2: %3', name, since, why);
    return { job, kind: 'waiting', text };
  }

  private _many(jobs: readonly IJob[], now: number): INotice {
    const trans = this._trans;
    const [job] = jobs;
    // as long as each of them at least
    const since = now - Math.max(...jobs.map(one => one.created_at));
    const text = trans.__(
      '%1 jobs on %2 have waited for %3',
      String(jobs.length),
      shown(job.target),
      counted(since)
    );
    return { job, kind: 'waiting', text, several: true };
  }

  private readonly _told: Promise<Set<string>>;
}

/** What was kept; nothing where that is no list of ids. */
function ids(kept: string | null): string[] {
  try {
    const list: unknown = JSON.parse(kept ?? '[]');
    return Array.isArray(list) ? list.map(String) : [];
  } catch {
    return [];
  }
}
