/** All outputs of a job, kept in memory and shown in whatever cells are attached. */
import type * as nbformat from '@jupyterlab/nbformat';

import type { IJobEvent } from '../records';
import {
  Applier,
  type CellStatus,
  type ICells,
  type IOutputList,
  PlainOutputs
} from './applier';

/** Events that come at once, from which cells are drawn once and not for each of them. */
const MANY = 50;

/** A cell on the screen. */
export interface IShownOutputs extends IOutputList {
  /** These and no others. */
  replace(outputs: nbformat.IOutput[]): void;
}

/** How a cell does. */
export interface ICellState {
  status: CellStatus;
  count: number | null;
}

/** Who is told. */
export interface IOutputsListener {
  /** A cell begins or ends; null: all of them are as if nothing had run. */
  status(cell: string | null): void;
  /** There is one more cell: papermill's, with the parameters. */
  inject(cell: string, source: string): void;
}

export class JobOutputs implements ICells {
  constructor(private readonly _listener: IOutputsListener) {}

  /** Apply events, in their order. */
  take(events: readonly IJobEvent[]): void {
    this._holding = events.length >= MANY;
    for (const event of events) {
      this._applier.apply(event);
    }
    if (this._holding) {
      this._holding = false;
      this._touched.forEach(mirror => mirror.show());
      this._touched.clear();
    }
  }

  /** Show a cell's outputs here from now on. */
  attach(cell: string, shown: IShownOutputs): void {
    this.outputs(cell).attach(shown);
  }

  /** Show them there no more; what is shown stays. */
  detach(cell: string): void {
    this.outputs(cell).attach(null);
  }

  /** True where a cell's outputs are shown somewhere. */
  shows(cell: string): boolean {
    return this._mirrors.get(cell)?.isShown ?? false;
  }

  /** How a cell does; undefined where it has not begun. */
  state(cell: string): ICellState | undefined {
    return this._states.get(cell);
  }

  /** For the applier. */
  outputs(cell: string): Mirror {
    let mirror = this._mirrors.get(cell);
    if (mirror === undefined) {
      mirror = new Mirror();
      this._mirrors.set(cell, mirror);
    }
    if (this._holding) {
      mirror.hold();
      this._touched.add(mirror);
    }
    return mirror;
  }

  /** For the applier. */
  begin(): void {
    this._states.clear();
    this._mirrors.forEach((_, cell) => this.outputs(cell).clear(false));
    this._listener.status(null);
  }

  /** For the applier. */
  inject(cell: string, source: string): void {
    this._listener.inject(cell, source);
  }

  /** For the applier. */
  status(cell: string, status: CellStatus, count: number | null): void {
    this._states.set(cell, { status, count });
    this._listener.status(cell);
  }

  private readonly _applier = new Applier(this);
  private readonly _mirrors = new Map<string, Mirror>();
  private readonly _states = new Map<string, ICellState>();
  private readonly _touched = new Set<Mirror>();
  private _holding = false;
}

/** Outputs in memory and, where somebody looks, on the screen. */
class Mirror implements IOutputList {
  get length(): number {
    return this._plain.length;
  }

  get isShown(): boolean {
    return this._shown !== null;
  }

  attach(shown: IShownOutputs | null): void {
    this._shown = shown;
    this.show();
  }

  /** Draw nothing until `show`. */
  hold(): void {
    this._held = true;
  }

  /** Draw all of them. */
  show(): void {
    this._held = false;
    this._shown?.replace(this._plain.toJSON());
    if (this._plain.clearing) {
      this._shown?.clear(true);
    }
  }

  add(output: nbformat.IOutput): void {
    this._plain.add(output);
    this._drawn?.add(output);
  }

  clear(wait: boolean): void {
    this._plain.clear(wait);
    this._drawn?.clear(wait);
  }

  get(index: number): nbformat.IOutput {
    return this._plain.get(index);
  }

  set(index: number, output: nbformat.IOutput): void {
    this._plain.set(index, output);
    this._drawn?.set(index, output);
  }

  private get _drawn(): IShownOutputs | null {
    return this._held ? null : this._shown;
  }

  private readonly _plain = new PlainOutputs();
  private _shown: IShownOutputs | null = null;
  private _held = false;
}
