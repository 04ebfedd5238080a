/** Records of jobs that there was news of: read few at a time, each once for all its news. */
import type { IJob } from '../records';
import { RequestError } from '../request';

/** Requests at once; a browser has six connections to a server, and others need some of them. */
const AT_ONCE = 4;

export interface IReadingsOptions {
  read: (id: string) => Promise<IJob>;
  /** A record that came; `fresh` where the job was made just now. */
  took: (job: IJob, fresh: boolean) => void;
  /** A job that there is no more. */
  gone: (id: string) => void;
}

export class Readings {
  constructor(private readonly _options: IReadingsOptions) {}

  /** Read it soon; once more where it is being read, for what comes may be older than this news. */
  ask(id: string, fresh: boolean): void {
    this._waiting.set(id, fresh || this._waiting.get(id) === true);
    this._next();
  }

  /** What comes of it is not wanted any more. */
  drop(id: string): void {
    this._waiting.delete(id);
    if (this._running.has(id)) {
      this._running.set(id, false);
    }
  }

  /** Ask for nothing more. */
  dispose(): void {
    this._waiting.clear();
    [...this._running.keys()].forEach(id => this.drop(id));
  }

  private _next(): void {
    for (const [id, fresh] of this._waiting) {
      if (this._running.size >= AT_ONCE) {
        return;
      }
      if (!this._running.has(id)) {
        this._waiting.delete(id);
        void this._read(id, fresh);
      }
    }
  }

  private async _read(id: string, fresh: boolean): Promise<void> {
    this._running.set(id, true);
    try {
      const job = await this._options.read(id);
      if (this._running.get(id)) {
        this._options.took(job, fresh);
      }
    } catch (error) {
      // else it is seen by the next look at all that run
      if (error instanceof RequestError && error.status === 404) {
        this._options.gone(id);
      }
    } finally {
      this._running.delete(id);
      this._next();
    }
  }

  /** Jobs to be read, the first asked first; true where one is new. */
  private readonly _waiting = new Map<string, boolean>();
  /** Jobs that are being read; false where that is not wanted any more. */
  private readonly _running = new Map<string, boolean>();
}
