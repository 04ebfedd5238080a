/** The panel in the left sidebar. What it shows is loaded when somebody looks at it first. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import { type ISignal, Signal } from '@lumino/signaling';
import { createElement, type ReactElement } from 'react';

import { WidgetIDs } from '../ids';
import type { IJobFilter } from '../records';
import type { Connection, IJobList, IJobsManager } from '../tokens';
import { jobsIcon } from './icons';
import type { PanelView } from './panelview';
import type { IRowActions } from './row';

/** Jobs that are read before anybody scrolls. */
const PAGE = 100;

export interface IPanelOptions {
  manager: IJobsManager;
  trans: TranslationBundle;
  actions: IRowActions;
  /** Opens the dialog for the current notebook; null where there is no dialog. */
  submit: (() => void) | null;
}

export class JobsPanel extends ReactWidget {
  constructor(private readonly _options: IPanelOptions) {
    super();
    const { trans } = _options;
    this.id = WidgetIDs.jobs;
    this.addClass('jp-hybrid-Jobs');
    this.title.icon = jobsIcon;
    this.title.caption = trans.__('Jobs');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', trans.__('Jobs'));
  }

  /** Somebody chose a job elsewhere. */
  get chosen(): ISignal<this, string> {
    return this._chosen;
  }

  /**
   * Choose a job, and show all where it would not be seen. One that is not asked for `now`, but was
   * when the panel was activated last, leaves what somebody has looked for in it since.
   */
  choose(id: string, now = true): void {
    const list = this._list;
    const same = list?.filter === this._filter;
    if ((now || same) && list?.jobs.every(job => job.id !== id)) {
      list.setFilter({});
    }
    this._choice = id;
    this._chosen.emit(id);
  }

  override dispose(): void {
    this._list?.dispose();
    super.dispose();
  }

  protected override onActivateRequest(): void {
    this._filter = this._list?.filter;
    const grid = this.node.querySelector<HTMLElement>('[role="grid"]');
    // (where there are no jobs: what is typed there chooses among them)
    (grid ?? this.node.querySelector('input'))?.focus();
  }

  protected override onAfterAttach(message: Message): void {
    super.onAfterAttach(message);
    void this._look();
  }

  protected override onAfterShow(message: Message): void {
    super.onAfterShow(message);
    void this._look();
  }

  protected override onUpdateRequest(message: Message): void {
    // until there is something to show, no root of React's is made for it
    if (this._view !== null) {
      super.onUpdateRequest(message);
    }
  }

  protected override render(): ReactElement | null {
    if (this._view === null || this._list === null) {
      return null;
    }
    return createElement(this._view, {
      ...this._options,
      list: this._list,
      chosen: this._chosen,
      choice: this._choice
    });
  }

  /** Read the list and load what shows it: JupyterLab's start is not slowed down by it. */
  private async _look(): Promise<void> {
    if (!this.isVisible) {
      return;
    }
    const { manager, trans } = this._options;
    this._list ??= manager.list({}, PAGE);
    try {
      this._view ??= (await import('./panelview')).PanelView;
    } catch {
      // the server went away before anybody looked
      this.node.textContent = trans.__(
        'The server does not answer. Jobs go on without it; the list will too, once it is back.'
      );
      manager.connectionChanged.connect(this._back);
      return;
    }
    manager.connectionChanged.disconnect(this._back);
    if (!this.isDisposed) {
      this.update();
    }
  }

  private readonly _back = (_: IJobsManager, now: Connection): void => {
    if (now === 'online') {
      void this._look();
    }
  };

  private readonly _chosen = new Signal<this, string>(this);
  private _choice: string | null = null;
  private _list: IJobList | null = null;
  /** Of the list, when the panel was activated last. */
  private _filter: IJobFilter | undefined;
  private _view: typeof PanelView | null = null;
}
