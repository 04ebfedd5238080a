/** Tells when a job has ended. Decides and words only; others show it. */
import type { TranslationBundle } from '@jupyterlab/translation';

import { elapsed, errorLine, shown } from '../jobs/wording';
import type { IJob } from '../records';
import type { IJobChange } from '../tokens';
import { counted } from '../words';

/** Seconds from which the end of a `%%remote` cell's job is told: its cell shows it anyway. */
const LONG_CELL = 60;

/** What is told. */
export interface INotice {
  /** The first, where it is about several. */
  job: IJob;
  several?: true;
  kind: 'done' | 'failed' | 'waiting';
  text: string;
}

export class Notices {
  constructor(
    private readonly _trans: TranslationBundle,
    /** Ends before this (seconds since the epoch) are no news. */
    private readonly _since: () => number
  ) {}

  /** What to tell of a change; null: nothing. */
  ofChange({ before, job }: IJobChange): INotice | null {
    if (job === null || !job.final || job.state === 'CANCELLED') {
      return null;
    }
    const news = before
      ? !before.final
      : (job.finished_at ?? 0) > this._since();
    const seconds = elapsed(job, 0);
    if (!news || (job.kind === 'cell' && seconds < LONG_CELL)) {
      return null;
    }
    const trans = this._trans;
    const name = shown(job.name);
    if (job.state === 'COMPLETED') {
      const text = trans.__('%1 is done after %2', name, counted(seconds));
      return { job, kind: 'done', text };
    }
    const text = trans.__('%1 failed: %2', name, shown(errorLine(job)));
    return { job, kind: 'failed', text };
  }
}
