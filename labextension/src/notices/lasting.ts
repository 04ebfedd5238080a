/** Notifications that stay until somebody closes them: each thing is told once, and kept true. */
import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { errorLine, shown } from '../jobs/wording';
import type { IJob, ITarget } from '../records';
import { withWhole } from './whole';

/** Failures, one notification for those of one target by one cause. */
export class Failures {
  constructor(
    private readonly _trans: TranslationBundle,
    private readonly _open: (job: IJob) => void,
    private readonly _showAll: () => void
  ) {}

  /** Tell of a job that failed, in these words where it is the only one. */
  tell(job: IJob, text: string): void {
    const trans = this._trans;
    const cause = shown(errorLine(job));
    const key = JSON.stringify([job.target, cause]);
    const before = this._told.get(key);
    if (before !== undefined && Notification.manager.has(before.id)) {
      before.jobs.add(job.id);
      const many = String(before.jobs.size);
      const message = trans.__(
        '%1 jobs on %2 failed: %3',
        many,
        shown(job.target),
        cause
      );
      const actions = withWhole(trans, message, [
        { label: trans.__('Show jobs'), callback: this._showAll }
      ]);
      Notification.update({ id: before.id, message, actions });
      return;
    }
    const id = Notification.error(text, {
      autoClose: false,
      actions: withWhole(trans, text, [
        { label: trans.__('Open'), callback: () => this._open(job) }
      ])
    });
    this._told.set(key, { id, jobs: new Set([job.id]) });
  }

  private readonly _told = new Map<string, { id: string; jobs: Set<string> }>();
}

/** Targets that do not answer, one notification each for as long as that lasts. */
export class Troubles {
  constructor(private readonly _trans: TranslationBundle) {}

  take(targets: readonly ITarget[]): void {
    const silent = new Map(
      targets.flatMap(({ name, trouble }) =>
        trouble === null ? [] : [[name, trouble] as const]
      )
    );
    for (const [name, { id }] of this._told) {
      if (!silent.has(name)) {
        Notification.dismiss(id);
        this._told.delete(name);
      }
    }
    silent.forEach((trouble, name) => this._tell(name, trouble));
  }

  private _tell(name: string, trouble: string): void {
    const before = this._told.get(name);
    if (before?.trouble === trouble) {
      return;
    }
    const trans = this._trans;
    const message = trans.__(
      '%1 does not answer. Its jobs are not lost. %2',
      shown(name),
      shown(trouble)
    );
    const actions = withWhole(trans, message);
    if (before !== undefined && Notification.manager.has(before.id)) {
      Notification.update({ id: before.id, message, actions });
      this._told.set(name, { id: before.id, trouble });
      return;
    }
    const id = Notification.warning(message, { autoClose: false, actions });
    this._told.set(name, { id, trouble });
  }

  private readonly _told = new Map<string, { id: string; trouble: string }>();
}
