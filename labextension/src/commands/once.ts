/** What somebody wants once is done once, however it is pressed and whoever answers. */
import { RequestError, newKey } from '../request';
import type { IJob } from '../records';
import type { IJobsManager } from '../tokens';

/** Milliseconds in which a second press is one half of a double click. */
const DOUBLE = 500;

/** Does nothing of what is under way already, or was begun just now. */
export class Once {
  async run(what: string, action: () => Promise<void>): Promise<void> {
    if (this._busy.has(what)) {
      return;
    }
    this._busy.add(what);
    const pause = new Promise(resolve => setTimeout(resolve, DOUBLE));
    try {
      await action();
    } finally {
      void pause.then(() => this._busy.delete(what));
    }
  }

  private readonly _busy = new Set<string>();
}

/** Runs jobs again: where nobody answered, another attempt is the same submit. */
export class Reruns {
  constructor(private readonly _manager: IJobsManager) {
    _manager.jobChanged.connect((_, { job }) => {
      for (const [id, key] of this._keys) {
        if (job?.submit_key === key) {
          // it came after all: the next one is another job
          this._keys.delete(id);
        }
      }
    });
  }

  async run(id: string): Promise<IJob> {
    const key = this._keys.get(id) ?? newKey();
    this._keys.set(id, key);
    try {
      const job = await this._manager.rerun(id, {}, key);
      this._keys.delete(id);
      return job;
    } catch (error) {
      if (!(error instanceof RequestError && error.away)) {
        this._keys.delete(id);
      }
      throw error;
    }
  }

  /** Of submits without an answer, by the job that they run again. */
  private readonly _keys = new Map<string, string>();
}
