/** The jobs of one open notebook: its cells' and its own. */
import { Notification } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';
import { Widget } from '@lumino/widgets';

import { moment } from '../clock';
import { withWhole } from '../notices/whole';
import type { IJob } from '../records';
import { asError } from '../request';
import type { IJobList, IJobsManager } from '../tokens';
import { JobBar } from './bar';
import { CellHead, insertBelowInput } from './cellhead';
import { OutputsHere } from './here';
import { isRemote, newestOfCells } from './matching';
import { type IMemory, Remembered } from './remembered';
import { type Views, viewsOf } from './views';

import '../../style/jobs.css';
import '../../style/outputs.css';

/** Jobs of a notebook that are looked at for those of its cells. */
const NEWEST = 200;
const EDITED = 'jp-hybrid-mod-edited';
const RUNNING = 'jp-hybrid-mod-running';

export interface INotebookJobsOptions {
  manager: IJobsManager;
  trans: TranslationBundle;
  /** The job whose outputs the notebook was opened for. */
  asked: string | null;
  /** Remembers which job a notebook shows. */
  state: IMemory | null;
  /** The notebook's path as the server knows it. */
  path: () => string;
  open: (id: string) => void;
  cancel: (id: string) => void;
}

export class NotebookJobs implements IDisposable {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _options: INotebookJobsOptions
  ) {
    this._remembered = new Remembered(_options.state);
    this._views = viewsOf(_panel.context.model);
    this._views.open();
    this._views.changed.connect(this._onShown);
    void _panel.context.ready.then(() => this._start());
    _panel.disposed.connect(() => this.dispose());
  }

  /** `barJob` or what is shown here is another than before. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** What shows a job's outputs here; null where nothing does. */
  get here(): OutputsHere | null {
    return this._views.here;
  }

  /** The job whose outputs are shown here, or else the one that will be once they are read. */
  get shown(): string | null {
    return (this.here ?? this._views.coming)?.id ?? null;
  }

  /** The job that the bar tells of; null where there is none worth telling. */
  get barJob(): string | null {
    if (this.shown !== null) {
      return this.shown;
    }
    const job = this._jobs().find(one => one.kind === 'notebook');
    const told =
      job !== undefined &&
      job.id !== this._closed &&
      (!job.final || (job.finished_at ?? 0) > this._watched());
    return told ? job.id : null;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** True for a job of this notebook, also where that had another name then. */
  has(id: string): boolean {
    return this._jobs().some(job => job.id === id);
  }

  /** Show a job's outputs in this notebook. */
  show(id: string): Promise<void> {
    return this._show(id, null);
  }

  /** Put back what the cells showed before. */
  restore(): void {
    this.here?.restore();
    this._views.leave();
  }

  /** The bar is not wanted any more; outputs that are shown stay. */
  closeBar(): void {
    this._closed = this.barJob;
    this._views.leave();
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._views.changed.disconnect(this._onShown);
    this._views.close();
    this._lists.forEach(list => list.dispose());
    Signal.clearData(this);
  }

  private async _show(
    id: string,
    own: readonly string[] | null
  ): Promise<void> {
    const { manager, trans } = this._options;
    const model = this._panel.content.model;
    if (model === null) {
      return;
    }
    const { here: earlier } = this;
    const here = new OutputsHere(manager, trans, id, model, earlier, own);
    try {
      await this._views.show(here);
    } catch (error) {
      if (this.here === null) {
        // nor is it tried again after a reload
        this._remembered.forget();
      }
      const why = asError(error).message;
      const text = trans.__('The outputs cannot be shown: %1', why);
      const actions = withWhole(trans, text);
      Notification.error(text, { autoClose: 8000, actions });
    }
  }

  private async _start(): Promise<void> {
    const { manager, asked, trans, open } = this._options;
    if (this._isDisposed) {
      return;
    }
    this._named();
    this._panel.context.pathChanged.connect(() => this._named());
    this._panel.content.model?.cells.changed.connect(() => this._draw());
    const bar = new JobBar({ manager, trans, notebook: this, open });
    this._panel.contentHeader.addWidget(bar);
    const showBar = (): void => bar.setHidden(this.barJob === null);
    this._changed.connect(showBar);
    // another view of it may show a job already
    this._onShown();
    // the page was loaded anew while it showed a job: go on, to the job's end
    const again =
      asked === null
        ? await this._remembered.fetch()
        : { id: asked, own: null };
    if (again !== null && this.shown === null && !this.isDisposed) {
      await this._show(again.id, again.own);
    }
  }

  /** The notebook has this path from now on; jobs of an earlier one are still its jobs. */
  private _named(): void {
    const { manager, path } = this._options;
    if (this._isDisposed) {
      // another view of the notebook is still open
      return;
    }
    const list = manager.list({ path: path() }, NEWEST);
    list.changed.connect(() => this._draw());
    this._lists.push(list);
    this._remembered.rename(path());
  }

  /** Newest first. */
  private _jobs(): readonly IJob[] {
    if (this._lists.length === 1) {
      return this._lists[0].jobs;
    }
    const jobs = this._lists.flatMap(list => list.jobs);
    const known = new Map(jobs.map(job => [job.id, job]));
    return [...known.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  }

  private readonly _onShown = (): void => {
    this._remembered.keep(this.here);
    this._mark();
  };

  private _draw(): void {
    if (this._isDisposed) {
      return;
    }
    const jobs = newestOfCells(this._jobs());
    const cells = new Set<Cell>();
    for (const cell of this._panel.content.widgets) {
      const job = jobs.get(cell.model.id);
      if (job && isRemote(cell.model.sharedModel.getSource())) {
        cells.add(cell);
        this._head(cell, job);
      }
    }
    for (const [cell, head] of this._heads) {
      if (!cells.has(cell)) {
        head.dispose();
        this._heads.delete(cell);
      }
    }
    this._changed.emit();
  }

  private _head(cell: Cell, job: IJob): void {
    const head = this._heads.get(cell);
    if (head && !head.isDisposed) {
      if (head.jobId !== job.id) {
        head.setJob(job.id);
      }
      return;
    }
    const made = new CellHead(this._options, job.id);
    this._heads.set(cell, made);
    void insertBelowInput(cell, made);
  }

  /** Mark cells that run there, and those that were edited meanwhile. */
  private _mark(): void {
    for (const cell of this._panel.content.widgets) {
      const state = this.here?.state(cell.model.id);
      const edited = state === 'edited';
      cell.toggleClass(RUNNING, state === 'running');
      cell.toggleClass(EDITED, edited);
      const note = this._notes.get(cell);
      if (edited && (note === undefined || note.isDisposed)) {
        this._note(cell);
      } else if (!edited) {
        note?.dispose();
        this._notes.delete(cell);
      }
    }
    this._changed.emit();
  }

  private _note(cell: Cell): void {
    const note = new Widget();
    note.addClass('jp-hybrid-CellHead');
    note.node.textContent = this._options.trans.__(
      'Edited since the job was sent: it keeps its own output. Undo the edit to see the job’s.'
    );
    this._notes.set(cell, note);
    void insertBelowInput(cell, note);
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _views: Views;
  private readonly _remembered: Remembered;
  private readonly _notes = new Map<Cell, Widget>();
  private readonly _heads = new Map<Cell, CellHead>();
  private readonly _watched = moment();
  /** By its path, and by those that it had. */
  private readonly _lists: IJobList[] = [];
  private _closed: string | null = null;
  private _isDisposed = false;
}
