/** A whole-notebook job's outputs in the notebook that it came from, cell by cell. */
import type { Cell, ICellModel, ICodeCellModel } from '@jupyterlab/cells';
import type * as nbformat from '@jupyterlab/nbformat';
import {
  type INotebookModel,
  type Notebook,
  NotebookActions
} from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { IDisposable } from '@lumino/disposable';
import { type ISignal, Signal } from '@lumino/signaling';

import type { IJobEvents, IJobsManager } from '../tokens';
import { CellOutputs, pause, slices } from './cells';
import { teller } from './leftout';
import { type ICodeCell, type IPair, paired } from './matching';
import { JobOutputs } from './outputs';
import { asEvents, isCode, sentCell, type ISent } from './sent';
import { MOST } from './shortening';

/** What a cell showed before. */
interface IBefore {
  outputs: nbformat.IOutput[];
  count: number | null;
}

/** A cell that JupyterLab is about to run. */
interface IRun {
  notebook: Notebook;
  cell: Cell;
}

/** How it stands with a cell: it shows the job's outputs, or was edited and shows its own. */
export type Shown = 'shown' | 'running' | 'edited';

/**
 * Shows a job's outputs in an open notebook. A cell whose text is not what was sent keeps what it
 * shows; where the edit is undone, it shows the job's. A cell that is run here, or runs already, is the
 * user's from then on. What was shown before is kept for `restore`.
 */
export class OutputsHere implements IDisposable {
  constructor(
    private readonly _manager: IJobsManager,
    trans: TranslationBundle,
    readonly id: string,
    private readonly _model: INotebookModel,
    /** What shows another job's outputs there until now: what was before those is kept. */
    earlier: OutputsHere | null = null,
    /** After a reload: the cells that were the user's before, by the ids that were sent. */
    private readonly _ownBefore: readonly string[] | null = null
  ) {
    this._before = earlier?._before ?? new Map<string, IBefore>();
    this._outputs = new JobOutputs({
      status: cells => this._status(cells),
      // papermill's cell is in the job's notebook, not in the user's
      inject: () => undefined,
      leftOut: teller(trans, id)
    });
    // after a reload, what the job was at still runs by a notebook that is edited together
    if (_ownBefore === null) {
      this._takeRunning(earlier);
    }
  }

  /** A cell begins to run, ends, was edited or is no longer. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** All of the job is shown: there is nothing to come. */
  get ended(): boolean {
    return this._compared && (this._events?.ended ?? true);
  }

  /** Read what was sent; nothing is shown of it yet. */
  async read(): Promise<ISent> {
    NotebookActions.executionScheduled.connect(this._ran);
    const { final } = await this._manager.job(this.id);
    const { content } = await this._manager.api.notebook(
      this.id,
      final ? MOST : 0
    );
    const cells = content.cells.filter(isCode);
    if (!this._isDisposed) {
      this._pair(cells.map(sentCell));
    }
    return { cells, final };
  }

  /** Begin, with what was read. */
  async start({ cells, final }: ISent): Promise<void> {
    this._model.cells.changed.connect(this._moved);
    this._renewAll();
    if (final) {
      this._outputs.take(cells.flatMap(asEvents));
    }
    for (const pairs of slices(this._pairs)) {
      pairs.forEach(pair => this._compare(pair));
      await pause();
      if (this.isDisposed) {
        return;
      }
    }
    this._compared = true;
    if (!final) {
      this._events = this._manager.events(this.id, 0, MOST);
      this._events.arrived.connect((_, events) => this._outputs.take(events));
      this._events.changed.connect(({ ended }) => {
        if (ended) {
          // a job whose machine died says of no cell that it has ended
          this._rest();
        }
        this._changed.emit();
      });
    }
    this._changed.emit();
  }

  /** The cells that are the user's own, by the ids that were sent. */
  get own(): string[] {
    return this._pairs
      .filter(pair => this._own.has(pair.here))
      .map(pair => pair.sent.id);
  }

  /** How it stands with a cell here; undefined for one that the job does not know. */
  state(here: string): Shown | undefined {
    const pair = this._byHere.get(here);
    if (pair === undefined || !this._compared || this._own.has(here)) {
      return undefined;
    }
    if (!this._showing.has(here)) {
      return 'edited';
    }
    const status = this._outputs.state(pair.sent.id)?.status;
    return status === 'running' && !this._events?.ended ? 'running' : 'shown';
  }

  /** Cells that were edited since the job was sent. */
  get edited(): number {
    const cells = [...this._known.keys()];
    return cells.filter(id => this.state(id) === 'edited').length;
  }

  /** Put back what the cells showed before. */
  restore(): void {
    this.dispose();
    const cells = this._codeCells();
    for (const [id, before] of this._before) {
      const cell = cells.get(id);
      if (cell) {
        cell.outputs.fromJSON(before.outputs);
        cell.executionCount = before.count;
      }
    }
  }

  /** Show no more; what is shown stays. */
  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    this._events?.dispose();
    NotebookActions.executionScheduled.disconnect(this._ran);
    if (!this._model.isDisposed) {
      this._model.cells.changed.disconnect(this._moved);
    }
    for (const pair of this._pairs) {
      this._outputs.detach(pair.sent.id);
    }
    for (const cell of this._known.values()) {
      cell.contentChanged.disconnect(this._edited);
    }
    this._rest();
    Signal.clearData(this);
  }

  /** Cells that run already are the user's, but for those that the earlier job is at. */
  private _takeRunning(earlier: OutputsHere | null): void {
    for (const { id, executionState } of this._codeCells().values()) {
      if (executionState === 'running' && !earlier?._showing.has(id)) {
        this._own.add(id);
      }
    }
  }

  private _pair(sent: readonly ICodeCell[]): void {
    const here = [...this._codeCells().values()].map(cell => ({
      id: cell.id,
      source: cell.sharedModel.getSource()
    }));
    this._pairs = paired(sent, here);
    this._byHere = new Map(this._pairs.map(pair => [pair.here, pair]));
    const before = new Set(this._ownBefore);
    this._pairs
      .filter(pair => before.has(pair.sent.id))
      .forEach(pair => this._own.add(pair.here));
  }

  /** True where a cell is another than before, or does other than before. */
  private _compareAll(): boolean {
    const renewed = this._renewAll();
    return this._pairs
      .map(pair => this._compare(pair))
      .concat(renewed)
      .includes(true);
  }

  /** True where a cell is another than before. */
  private _renewAll(): boolean {
    const cells = this._codeCells();
    return this._pairs
      .map(pair => this._renew(pair, cells.get(pair.here) ?? null))
      .includes(true);
  }

  private readonly _moved = (): void => {
    // JupyterLab is in the midst of it
    queueMicrotask(() => {
      if (!this._isDisposed && this._compareAll()) {
        this._changed.emit();
      }
    });
  };

  /** Let go of a cell that is gone: moved, or deleted and taken back, it is another object. */
  private _renew({ here, sent }: IPair, cell: ICodeCellModel | null): boolean {
    const before = this._known.get(here) ?? null;
    if (cell === before) {
      return false;
    }
    before?.contentChanged.disconnect(this._edited);
    this._outputs.detach(sent.id);
    this._showing.delete(here);
    if (cell) {
      this._known.set(here, cell);
      cell.contentChanged.connect(this._edited);
    } else {
      this._known.delete(here);
    }
    return true;
  }

  private readonly _edited = (cell: ICellModel): void => {
    const pair = this._byHere.get(cell.id);
    if (pair) {
      // outputs that are written in the midst of an undo would be lost
      queueMicrotask(() => {
        if (!this._isDisposed && this._compare(pair)) {
          this._changed.emit();
        }
      });
    }
  };

  private readonly _ran = (_: unknown, { notebook, cell }: IRun): void => {
    if (notebook.model !== this._model) {
      return;
    }
    const { id } = cell.model;
    this._own.add(id);
    this._before.delete(id);
    const pair = this._byHere.get(id);
    if (pair) {
      this._compare(pair);
      this._changed.emit();
    }
  };

  /** Show the outputs where the cell is as it was sent; true where that is another than before. */
  private _compare(pair: IPair): boolean {
    const cell = this._known.get(pair.here);
    const same =
      !this._own.has(pair.here) &&
      cell?.sharedModel.getSource() === pair.sent.source;
    if (!cell || same === this._showing.has(pair.here)) {
      return false;
    }
    if (same) {
      this._showing.add(cell.id);
      this._show(pair, cell);
    } else {
      this._showing.delete(cell.id);
      this._outputs.detach(pair.sent.id);
      idle(cell);
    }
    return true;
  }

  private _status(sent: ReadonlySet<string> | null): void {
    for (const pair of this._pairs) {
      if (sent !== null && !sent.has(pair.sent.id)) {
        continue;
      }
      const cell = this._known.get(pair.here);
      if (cell && this._showing.has(pair.here)) {
        this._show(pair, cell);
      }
    }
    this._changed.emit();
  }

  /** A cell that the job has not come to shows what it showed. */
  private _show(pair: IPair, cell: ICodeCellModel): void {
    const state = this._outputs.state(pair.sent.id);
    if (state === undefined) {
      // a job that began again has not come to it again
      if (this._outputs.shows(pair.sent.id)) {
        idle(cell);
      }
      return;
    }
    if (!this._before.has(cell.id)) {
      const { outputs, executionCount: count } = cell;
      this._before.set(cell.id, { outputs: outputs.toJSON(), count });
    }
    if (!this._outputs.shows(pair.sent.id)) {
      this._outputs.attach(pair.sent.id, new CellOutputs(cell));
    }
    cell.executionCount = state.count;
    cell.executionState = state.status === 'running' ? 'running' : 'idle';
  }

  /** The job runs none of the cells any more; what the user runs goes on. */
  private _rest(): void {
    for (const id of this._showing) {
      const cell = this._known.get(id);
      if (cell) {
        idle(cell);
      }
    }
  }

  private _codeCells(): Map<string, ICodeCellModel> {
    const cells = [...this._model.cells].filter(cell => cell.type === 'code');
    return new Map(cells.map(cell => [cell.id, cell as ICodeCellModel]));
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _before: Map<string, IBefore>;
  /** Cells here that are paired, by id. */
  private readonly _known = new Map<string, ICodeCellModel>();
  /** Those of them that show the job's outputs. */
  private readonly _showing = new Set<string>();
  /** Those that are run here, by id. */
  private readonly _own = new Set<string>();
  private readonly _outputs: JobOutputs;
  private _pairs: IPair[] = [];
  /** All cells have been looked at. */
  private _compared = false;
  private _byHere = new Map<string, IPair>();
  private _events: IJobEvents | null = null;
  private _isDisposed = false;
}

function idle(cell: ICodeCellModel): void {
  if (cell.executionState === 'running') {
    cell.executionState = 'idle';
  }
}
