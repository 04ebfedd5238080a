import type * as nbformat from '@jupyterlab/nbformat';
import type { PartialJSONObject } from '@lumino/coreutils';

import type { IJobEvent } from '../records';

/** The outputs of one cell, wherever they are kept. */
export interface IOutputList {
  /** How many there are. */
  readonly length: number;
  /** Put one behind the others; text of the same stream goes on. */
  add(output: nbformat.IOutput): void;
  /** Take all away, with `wait` not before the next one comes. */
  clear(wait: boolean): void;
  /** The output with this number; null where it is left out. */
  get(index: number): nbformat.IOutput | null;
  /** Put another one in its place. */
  set(index: number, output: nbformat.IOutput): void;
}

/** What a cell does. */
export type CellStatus = 'running' | 'ok' | 'error' | 'stopped';

/** Who is told what happened to the cells. */
export interface ICells {
  /** The outputs of a cell; null for a cell that is not shown. */
  outputs(cell: string): IOutputList | null;
  /** The job begins, perhaps once more: what an earlier attempt showed is not this one's. */
  begin(): void;
  /** A cell that is not in the notebook: papermill's, with the parameters. */
  inject(cell: string, source: string): void;
  /** A cell begins or has ended. */
  status(cell: string, status: CellStatus, count: number | null): void;
}

/** Does to cells what a job's events say, as the runner does to the notebook that it writes. */
export class Applier {
  constructor(private readonly _cells: ICells) {}

  /** Apply one event; kinds that show nothing are passed over. */
  apply(event: IJobEvent): void {
    const cell = text(event['cell_id']);
    switch (event.kind) {
      case 'started':
        this._displays.clear();
        this._clearing.clear();
        this._cells.begin();
        break;
      case 'cell':
        if (typeof event['source'] === 'string') {
          this._cells.inject(cell, event['source']);
        }
        this._cells.status(cell, 'running', null);
        break;
      case 'output':
        this._output(cell, event['output']);
        break;
      case 'update':
        this._update(text(event['display_id']), event);
        break;
      case 'clear':
        this._clear(cell, event['wait'] === true);
        break;
      case 'cell_end':
        this._clearing.delete(cell);
        this._cells.status(cell, ended(event), count(event));
        break;
    }
  }

  private _output(cell: string, output: unknown): void {
    const outputs = this._cells.outputs(cell);
    if (outputs === null || !isObject(output)) {
      return;
    }
    if (this._clearing.delete(cell)) {
      this._forget(cell);
    }
    const { transient, ...rest } = output;
    outputs.add(rest as nbformat.IOutput);
    const id = isObject(transient) ? transient['display_id'] : undefined;
    if (typeof id === 'string') {
      const places = this._displays.get(id) ?? [];
      places.push({ cell, index: outputs.length - 1 });
      this._displays.set(id, places);
    }
  }

  private _update(id: string, event: IJobEvent): void {
    for (const { cell, index } of this._displays.get(id) ?? []) {
      const outputs = this._cells.outputs(cell);
      const shown = outputs?.get(index);
      if (outputs && shown) {
        outputs.set(index, {
          ...shown,
          data: isObject(event['data']) ? event['data'] : {},
          metadata: isObject(event['metadata']) ? event['metadata'] : {}
        });
      }
    }
  }

  private _clear(cell: string, wait: boolean): void {
    if (wait) {
      this._clearing.add(cell);
    } else {
      this._clearing.delete(cell);
      this._forget(cell);
    }
    this._cells.outputs(cell)?.clear(wait);
  }

  /** No display of this cell is shown any more. */
  private _forget(cell: string): void {
    for (const [id, places] of this._displays) {
      this._displays.set(
        id,
        places.filter(place => place.cell !== cell)
      );
    }
  }

  /** Where displays that may be updated are, by display id. */
  private _displays = new Map<string, { cell: string; index: number }[]>();
  /** Cells whose next output replaces the others. */
  private _clearing = new Set<string>();
}

function ended(event: IJobEvent): CellStatus {
  const status = event['status'];
  return status === 'error' || status === 'stopped' ? status : 'ok';
}

function count(event: IJobEvent): number | null {
  const value = event['execution_count'];
  return typeof value === 'number' ? value : null;
}

function text(value: unknown): string {
  if (Array.isArray(value)) {
    return value.join('');
  }
  return typeof value === 'string' ? value : '';
}

function isObject(value: unknown): value is PartialJSONObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
